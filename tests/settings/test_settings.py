"""Reading the environment: defaults, bounds, messages that name the variable, secrets that stay secret."""

from pathlib import Path

import pytest

from cakegate import settings, settings_pages
from cakegate.domain import errors

ROOT = Path(__file__).parents[2]


def read(env_file=None, **environ):
    return settings.from_env(environ, env_file=env_file)


def refused(**environ):
    with pytest.raises(errors.InvalidSettings) as caught:
        read(**environ)
    return str(caught.value)


def test_without_any_variable_the_defaults_hold():
    assert settings.Settings() == read()


def test_an_empty_value_counts_as_unset():
    assert 8000 == read(CAKEGATE_GATEWAY_PORT="").gateway.port


def test_values_are_converted_to_their_types():
    found = read(
        CAKEGATE_GATEWAY_PORT="9000",
        CAKEGATE_UPSTREAM_MARKER="off",
        CAKEGATE_GATEWAY_WAIT_SECONDS="2.5",
        CAKEGATE_FETCH_ALLOW="127.0.0.1:8900, [::1]:80",
    )

    assert 9000 == found.gateway.port
    assert found.upstream.marker is False
    assert 2.5 == found.gateway.wait_seconds
    assert ("127.0.0.1:8900", "[::1]:80") == found.fetch.allow


def test_an_env_file_is_read_below_the_environment(tmp_path):
    env_file = tmp_path / ".env"
    env_file.write_text("CAKEGATE_GATEWAY_PORT=9000\nCAKEGATE_WORKER_THREADS=7\nOTHER=x\n")

    found = read(env_file, CAKEGATE_GATEWAY_PORT="9001")

    assert 9001 == found.gateway.port
    assert 7 == found.worker.threads


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CAKEGATE_GATEWAY_PORT", "0"),
        ("CAKEGATE_GATEWAY_PORT", "65536"),
        ("CAKEGATE_GATEWAY_PORT", "eight"),
        ("CAKEGATE_WORKER_THREADS", "0"),
        ("CAKEGATE_WORKER_THREADS", "1.5"),
        ("CAKEGATE_FETCH_TOTAL_SECONDS", "0"),
        ("CAKEGATE_FETCH_TOTAL_SECONDS", "nan"),
        ("CAKEGATE_FETCH_TOTAL_SECONDS", "inf"),
        ("CAKEGATE_UPSTREAM_MARKER", "maybe"),
        ("CAKEGATE_UPSTREAM_URL", "cakes.example"),
        ("CAKEGATE_UPSTREAM_URL", "https://user:password@cakes.example"),
        ("CAKEGATE_UPSTREAM_ITEM_PATH", "/cakes"),
        ("CAKEGATE_UPSTREAM_CA_FILE", "/does/not/exist.pem"),
        ("CAKEGATE_FETCH_ALLOW", "cakes.example"),
        ("CAKEGATE_FETCH_ALLOW", "cakes.example:99999"),
        ("CAKEGATE_FETCH_ALLOW", "http://cakes.example:80"),
        ("CAKEGATE_DETECTOR_SHA256", "abc"),
        ("CAKEGATE_DETECTOR_REVIEW_BAND", "-0.1"),
        ("CAKEGATE_DETECTOR_REVIEW_BAND", "nan"),
        ("CAKEGATE_DETECTOR_SAMPLE_SHARE", "1.1"),
        ("CAKEGATE_DETECTOR_MIN_SIDE_PIXELS", "-1"),
        ("CAKEGATE_DETECTOR_MIN_CONTRAST", "nan"),
        ("CAKEGATE_DETECTOR_MIN_SHARPNESS", "-1"),
        ("CAKEGATE_TELEMETRY_LOG_FORMAT", "xml"),
        ("CAKEGATE_GATEWAY_WAIT_SECONDS", "61"),
        ("CAKEGATE_SUBMISSIONS_SEND_DEADLINE_SECONDS", "60"),
        ("CAKEGATE_UPSTREAM_WRITE_MAX_SECONDS", "29"),
        ("CAKEGATE_UPSTREAM_WRITE_TIMEOUT_SECONDS", "121"),
        ("CAKEGATE_DATABASE_POOL_MIN", "11"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_its_variables_name(name, value):
    assert name in refused(**{name: value})


def test_thresholds_in_the_wrong_order_are_refused():
    message = refused(CAKEGATE_DETECTOR_ACCEPT_THRESHOLD="0.2", CAKEGATE_DETECTOR_REVIEW_THRESHOLD="0.5")

    assert "CAKEGATE_DETECTOR_REVIEW_THRESHOLD" in message


def test_all_complaints_come_together_and_a_misspelt_variable_is_one():
    message = refused(CAKEGATE_GATEWAY_PROT="1", CAKEGATE_GATEWAY_PORT="x", CAKEGATE_WORKER_THREADS="y")

    assert all(name in message for name in ("GATEWAY_PROT", "GATEWAY_PORT", "WORKER_THREADS"))


def test_secrets_are_never_printed():
    found = read(
        CAKEGATE_DATABASE_URL="postgresql://cakegate:hunter2@db.example/cakegate?sslpassword=hunter3",
        CAKEGATE_REDIS_URL="redis://:hunter2@redis.example:6379",
        CAKEGATE_UPSTREAM_TOKEN="hunter2",
        CAKEGATE_UPSTREAM_HEADERS="X-Key: hunter2",
    )

    assert "hunter" not in repr(found)
    assert "hunter" not in str(found.database.url)
    assert "db.example" in str(found.database.url)
    assert "hunter2" == found.upstream.token.reveal()


def test_a_bad_secret_is_not_in_the_message_either():
    assert "hunter2" not in refused(CAKEGATE_UPSTREAM_URL="https://user:hunter2@cakes.example")


def test_require_names_what_is_missing():
    with pytest.raises(errors.InvalidSettings, match="CAKEGATE_DATABASE_URL, CAKEGATE_UPSTREAM_URL must be set"):
        read().require("database.url", "upstream.url")


def test_every_setting_has_a_description_and_a_unit_or_plain_meaning():
    assert [] == [variable.name for variable in settings.variables() if not variable.description]


def test_the_configuration_page_is_up_to_date():
    assert settings_pages.as_markdown() == (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8"), (
        "run `make docs`"
    )


def test_the_env_template_is_up_to_date():
    assert settings_pages.as_env_template() == (ROOT / ".env.template").read_text(encoding="utf-8"), "run `make docs`"


def test_the_env_template_itself_can_be_read(tmp_path):
    env_file = tmp_path / ".env"
    env_file.write_text(settings_pages.as_env_template().replace("\n#CAKEGATE", "\nCAKEGATE"))

    assert settings.Settings() == read(env_file)
