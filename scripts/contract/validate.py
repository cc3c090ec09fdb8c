"""The document is valid OpenAPI 3.1, and its examples keep to its own limits.

    validate.py FILE
"""

import sys
from itertools import islice

from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from openapi_spec_validator.readers import read_from_filename
from referencing import Registry
from referencing.jsonschema import DRAFT202012

URI = "urn:contract"


def pointer(steps):
    return "#" + "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def examples(node, steps=()):
    """Every (place, schema, example) of a document, properties that are called `examples` left out."""
    if isinstance(node, dict):
        if isinstance(node.get("examples"), list):
            for number, example in enumerate(node["examples"]):
                yield (*steps, "examples", number), steps, example
        for key, value in node.items():
            if key not in ("examples", "example", "default", "enum", "const"):
                yield from examples(value, (*steps, key))
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from examples(value, (*steps, number))


def wrong_structure(document):
    for error in OpenAPIV31SpecValidator(document).iter_errors():
        yield f"{pointer(error.absolute_path)}: {error.message}"


def wrong_examples(document):
    registry = Registry().with_resource(URI, DRAFT202012.create_resource(document))
    for place, schema, example in examples(document):
        validator = OAS31Validator({"$ref": URI + pointer(schema)}, registry=registry)
        for error in validator.iter_errors(example):
            yield f"{pointer(place)}: {error.message}"


document, _ = read_from_filename(sys.argv[1])
version = document.get("openapi") if isinstance(document, dict) else None
if not str(version).startswith("3.1."):
    sys.exit(f"{sys.argv[1]}: not OpenAPI 3.1: `openapi` is {version!r}")
# The examples mean nothing while the schemas are wrong.
errors = list(islice(wrong_structure(document), 20)) or list(islice(wrong_examples(document), 20))
if errors:
    sys.exit("\n".join(errors))
print(f"{sys.argv[1]}: valid OpenAPI {version}; {len(list(examples(document)))} examples keep to it")
