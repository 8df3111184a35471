"""Argo CD's health check of a CakeBakery, run by a Lua where there is one."""

import shutil
import subprocess

import pytest

LUA = next(filter(None, map(shutil.which, ("lua5.1", "luajit", "lua", "lua5.4", "lua5.3"))), None)


def said(kind: str, status: str, reason: str = "Because") -> dict:
    return {"type": kind, "status": status, "reason": reason, "message": "of something"}


CASES = {
    "new": (None, "Progressing"),
    "no condition yet": ({"observedGeneration": 2}, "Progressing"),
    "edited since": ({"observedGeneration": 1, "conditions": [said("Ready", "True")]}, "Progressing"),
    "ready": ({"observedGeneration": 2, "conditions": [said("Ready", "True")]}, "Healthy"),
    "rolling": (
        {"observedGeneration": 2, "conditions": [said("Ready", "True"), said("Reconciling", "True")]},
        "Progressing",
    ),
    "stuck": ({"observedGeneration": 2, "conditions": [said("Ready", "False"), said("Stalled", "True")]}, "Degraded"),
    "broken": ({"observedGeneration": 2, "conditions": [said("Ready", "False")]}, "Degraded"),
    "not known": ({"observedGeneration": 2, "conditions": [said("Ready", "Unknown")]}, "Progressing"),
    "paused": ({"observedGeneration": 2, "conditions": [said("Ready", "True"), said("Paused", "True")]}, "Suspended"),
    "not paused": (
        {"observedGeneration": 2, "conditions": [said("Ready", "True"), said("Paused", "False")]},
        "Healthy",
    ),
}


def written(value: object) -> str:
    """Data as Lua writes it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {written(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "{" + ", ".join(map(written, value)) + "}"
    return "nil" if value is None else f'"{value}"' if isinstance(value, str) else str(value)


@pytest.mark.parametrize("case", CASES)
def test_health_follows_the_conditions(root, case):
    if LUA is None:
        pytest.skip("no Lua is on the PATH: the health check was not run")
    status, expected = CASES[case]
    check = (root / "manifests" / "argo-cd" / "health.lua").read_text(encoding="utf-8")
    program = (
        f"obj = {written({'metadata': {'generation': 2}, 'status': status})}\n"
        f"local function health()\n{check}\nend\nlocal found = health()\nio.write(found.status, '\\n', found.message)"
    )
    done = subprocess.run([LUA, "-"], input=program, capture_output=True, text=True, check=True)
    health, _, message = done.stdout.partition("\n")
    assert expected == health
    assert message


def test_the_check_reads_what_every_status_has(root):
    check = (root / "manifests" / "argo-cd" / "health.lua").read_text(encoding="utf-8")
    for name in ("observedGeneration", "Ready", "Stalled", "Reconciling", "Paused"):
        assert name in check
