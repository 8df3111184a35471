"""What an answer of the legacy API proves: to reads, and to writes, which must never happen twice."""

import gzip
import json

import pytest
import structlog

from cakegate import settings
from cakegate.adapters import upstream
from cakegate.domain import cakes, errors
from cakegate.local import servers
from conftest_upstream import HANG, reply  # see conftest.py of this folder

DRAFT = cakes.CakeDraft(name="Lemon cheesecake", comment="Made of lemon", image_url="http://p.example/l", yum_factor=3)
