"""The OpenAPI document is complete: nothing had to be guessed or left out."""

from django.core.management import call_command


def test_the_schema_is_valid_and_without_warnings(tmp_path: object) -> None:
    call_command("spectacular", fail_on_warn=True, validate=True, file=f"{tmp_path}/schema.yml")
