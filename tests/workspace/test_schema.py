"""The OpenAPI document is complete: nothing had to be guessed or left out."""

from typing import Any

from django.core.management import call_command
from drf_spectacular.generators import SchemaGenerator


def test_the_schema_is_valid_and_without_warnings(tmp_path: object) -> None:
    call_command("spectacular", fail_on_warn=True, validate=True, file=f"{tmp_path}/schema.yml")


def parameters(operation: Any) -> set[str]:
    return {each["name"] for each in operation.get("parameters", ())}


def test_the_schema_tells_the_headers_and_errors_of_every_operation() -> None:
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    for path, operations in paths.items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            problem = operation["responses"]["default"]["content"]["application/problem+json"]["schema"]
            assert problem == {"$ref": "#/components/schemas/Problem"}, where
            assert ("Idempotency-Key" in parameters(operation)) == (method == "post"), where
    for name in ("contacts", "companies", "deals", "cases", "tasks", "surveys", "automations", "pipelines"):
        one = paths[f"/api/v1/{name}/{{id}}/"]
        for method in ("patch", "delete"):
            assert "If-Match" in parameters(one[method]), (name, method)
        assert parameters(one["get"]) >= {"fields"}, name
        assert {"fields", "cursor", "page_size", "ordering"} <= parameters(
            paths[f"/api/v1/{name}/"]["get"]
        ), name
    for name in (
        "contacts",
        "companies",
        "deals",
        "cases",
        "tasks",
        "responses",
        "invitations",
        "employments",
    ):
        assert "expand" in parameters(paths[f"/api/v1/{name}/"]["get"]), name
    assert not {"segment", "conditions"} & parameters(paths["/api/v1/imports/"]["get"])
