"""The OpenAPI description against the routes and against real answers."""

from __future__ import annotations

import re
from typing import Any

import jsonschema
import yaml

from mistudio_ext.api.routes import PREFIX, routes
from mistudio_ext.api.spec import SPEC
from tests.api.conftest import API, Api, Fetch

DOCUMENT: dict[str, Any] = yaml.safe_load(SPEC.read_text())
VERBS = ("get", "post", "put", "patch", "delete")


def described() -> set[tuple[str, str]]:
    """Return (route, verb) of the description; parameters as {}."""
    return {
        (re.sub(r"\{\w+\}", "{}", path), verb)
        for path, item in DOCUMENT["paths"].items()
        for verb in VERBS
        if verb in item
    }


def served() -> set[tuple[str, str]]:
    """Return (route, verb) of the handlers."""
    found = set()
    for pattern, handler, _ in routes()[:-1]:
        path = pattern.removeprefix(PREFIX).replace("([A-Za-z0-9_.-]+)", "{}")
        found |= {(path, verb) for verb in VERBS if verb in vars(handler)}
    return found


def test_every_route_is_described_and_every_description_served() -> None:
    """Routes and description are the same."""
    assert described() == served()


def test_every_route_names_its_action() -> None:
    """Each operation says which action the authorizer is asked for."""
    for path, item in DOCUMENT["paths"].items():
        for verb in VERBS:
            if verb in item:
                assert item[verb]["x-action"] in ("read", "write", "execute"), (path, verb)


async def test_served(jp_fetch: Fetch) -> None:
    """The description is served as it is shipped."""
    answer = await jp_fetch(*API.split("/"), "spec.yaml")
    assert answer.body.decode() == SPEC.read_text()


def schema(name: str) -> dict[str, Any]:
    """Return a schema that can be validated on its own."""
    return {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}


def answer_schema(path: str, verb: str, status: str) -> dict[str, Any]:
    """Return the schema of an operation's answer."""
    response = DOCUMENT["paths"][path][verb]["responses"][status]
    if "$ref" in response:
        response = DOCUMENT["components"]["responses"][response["$ref"].rpartition("/")[2]]
    body: dict[str, Any] = response["content"]["application/json"]["schema"]
    return {**body, "components": DOCUMENT["components"]}


async def test_answers_are_as_described(api: Api) -> None:
    """Real answers of the main routes validate against their schemas."""
    dataset, model = await api.sample()
    body = {"model": model["id"], "dataset": dataset["id"], "max_samples": 3, "layers": "0"}
    started = await api("POST", "extractions", body, expect=202)
    await api.job(started["job"])
    ids = {"dataset": dataset["id"], "model": model["id"], "job": started["job"]["id"]}
    ids["extraction"] = started["extraction"]["id"]
    jsonschema.validate(started, answer_schema("/extractions", "post", "202"))
    jsonschema.validate(
        await api("POST", "extractions/estimate", body),
        answer_schema("/extractions/estimate", "post", "200"),
    )
    for path in ("/system", "/datasets", "/models", "/extractions", "/jobs"):
        answer = await api("GET", path.strip("/"))
        jsonschema.validate(answer, answer_schema(path, "get", "200"))
    for noun, row_id in ids.items():
        answer = await api("GET", f"{noun}s/{row_id}")
        jsonschema.validate(answer, answer_schema(f"/{noun}s/{{id}}", "get", "200"))
    for path in ("/datasets/{id}/samples", "/datasets/{id}/tokenizations"):
        answer = await api("GET", path.strip("/").format(id=dataset["id"]))
        jsonschema.validate(answer, answer_schema(path, "get", "200"))
    answer = await api("GET", f"models/{model['id']}/architecture")
    jsonschema.validate(answer, answer_schema("/models/{id}/architecture", "get", "200"))
    answer = await api("GET", f"jobs/{ids['job']}/log")
    jsonschema.validate(answer, answer_schema("/jobs/{id}/log", "get", "200"))
    error = await api("GET", "datasets/ds_unknown", expect=404)
    jsonschema.validate(error, schema("Error"))
