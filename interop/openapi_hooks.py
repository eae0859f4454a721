"""What interop/check_openapi.py adds to schemathesis: how observations, one JSON text a line, become bytes."""

import json

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def lines(_context, value):
    if isinstance(value, (bytes, str)):
        return value if isinstance(value, bytes) else value.encode()
    return b"\n".join(json.dumps(one).encode() for one in (value if isinstance(value, list) else [value]))
