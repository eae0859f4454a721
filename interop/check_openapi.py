#!/usr/bin/env python3
"""schemathesis reads the OpenAPI document and asks every operation, as an administrator: no 5xx, and no status, kind of body or
shape that the document does not say; what contradicts the document is refused (R07, R36).

  interop/check_openapi.py                    as in CI
  interop/check_openapi.py --include REGEX    only paths that match
"""

import argparse
import collections
import json
import os
import sys
import time

import profiles
from check_api import csr
from hospital import Checks, Hospital, run

SEED = "20261122"
EXAMPLES = "4"
# Ends schemathesis if it hangs; a whole run takes half a minute alone, and some minutes beside others.
SECONDS = 400
CHECKS = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance", "negative_data_rejection")
# Operations that are not asked, and why. Nothing else is left out.
LEFT_OUT = {
    "/api/v1/events/stream": "an open stream does not end; crates/server/tests/stream.rs reads it, and contracts.rs asks it with follow=false",
}

def fill(hospital, admin):
    """One of everything that can be asked for by its name or id; returns what stands for the parameters of paths, and the bodies
    that were taken, so that schemathesis can send some that are right."""
    bodies = {}

    def call(method, path, body):
        status, _, answer = hospital.rest(method, path, admin, body)
        if status not in (200, 201, 202):
            raise SystemExit(f"{method} {path}: {status} {answer}")
        # Another one of the same sort.
        bodies[path, method.lower()] = body | {field: body[field] + "-2" for field in ("id", "name", "serial") if field in body}
        return answer

    certificate = call("POST", "/api/v1/certificates", {"profile": "server-tls", "csr": csr()})
    other = call("POST", "/api/v1/certificates", {"profile": "server-tls", "csr": csr("second.mercy.example")})
    waiting = call("POST", "/api/v1/certificates", {"profile": "hie-gateway", "csr": csr("hie.mercy.example"), "evidence": profiles.EVIDENCE})
    asset = call("POST", "/api/v1/assets", {"serial": "SN-1", "kind": "device", "manufacturer": "Fluidic"})
    call("POST", "/api/v1/segments", {"name": "lab", "site": "main", "owner": "lab", "ranges": ["10.9.0.0/24"], "ports": ["443"],
                                      "rate": 5.0, "pause_ms": 200, "depth": "versions", "hours": ["daily 01:00-04:00"], "zone": "Europe/London",
                                      "life_support": False, "silent": 1, "unplaced": True, "exclude": []})
    call("POST", "/api/v1/people", {"id": "ada", "name": "Ada", "email": "ada@mercy.example",
                                    "grants": [{"role": "approver"}], "groups": []})
    call("POST", "/api/v1/groups", {"name": "security", "label": "Security", "grants": [{"role": "security"}], "claims": []})
    call("POST", "/api/v1/approval-policies", {"name": "keys", "action": "manage-backups", "needed": 1, "hours": 1})
    call("POST", "/api/v1/owner-rules", {"name": "web", "when": {"names": ["*.mercy.example"]}, "give": {"owner": "web"}})
    call("POST", "/api/v1/systems", {"name": "record", "kind": "ehr", "phi": True, "addresses": ["10.9.0.10"]})
    call("POST", "/api/v1/inventory/views", {"name": "soon", "query": "expires < 30d"})
    asset = asset.get("asset", asset)
    known = {"certificates": certificate["sha256"], "inventory": other["sha256"], "requests": waiting["request"], "assets": asset["id"],
            "segments": "lab", "people": "ada", "groups": "security", "approval-policies": "keys", "owner-rules": "web", "systems": "record",
            "authorities": "servers", "profiles": "server-tls", "crls": "servers", "proofs": 0, "views": "soon"}
    bodies["/api/v1/requests/{id}/comments", "post"] = {"text": "for which ward?"}
    bodies["/api/v1/requests/{id}/deny", "post"] = {"comment": "no ticket"}
    bodies["/api/v1/certificates/{id}/revoke", "post"] = {"reason": "superseded", "why": "replaced"}
    bodies["/api/v1/tokens", "post"] = {"name": "another", "roles": ["read-only"], "days": 1}
    bodies["/api/v1/invitations", "post"] = {"person": "ada"}
    bodies["/api/v1/owner-rules/test", "post"] = {"sha256": known["inventory"]}
    return known, bodies


def with_examples(document, known, bodies):
    """Real ids and bodies as examples, so that not every answer is a refusal."""
    for path, operations in document["paths"].items():
        parts = path.split("/")
        for method, operation in operations.items():
            for parameter in operation.get("parameters", []):
                before = parts[parts.index("{" + parameter["name"] + "}") - 1] if parameter["in"] == "path" else ""
                if before in known:
                    parameter["examples"] = {"real": {"value": known[before]}}
            if (path, method) in bodies:
                operation["requestBody"]["content"]["application/json"]["example"] = bodies[path, method]
    return document


def look_at(checks, document):
    """What schemathesis takes as it comes: ids of operations, and where parameters are."""
    operations = [(path, method, one) for path, methods in document["paths"].items() for method, one in methods.items()]
    ids = collections.Counter(one.get("operationId") for _, _, one in operations)
    checks.equal("every operation has an id of its own", [name for name, count in ids.items() if count > 1 or not name], [])
    wrong = [(path, parameter["name"]) for path, _, one in operations for parameter in one.get("parameters", [])
             if (parameter["in"] == "path") != (("{" + parameter["name"] + "}") in path)]
    checks.equal("parameters of paths are in their paths, and no others", wrong, [])
    checks.that("the document has the whole API", len(operations) > 180, len(operations))
    return len(operations)


def answers(report):
    """How often which status was answered, and which operations answered well at least once."""
    statuses, well = collections.Counter(), set()
    for line in report.read_text().splitlines():
        recorder = json.loads(line).get("ScenarioFinished", {}).get("recorder", {})
        for exchange in recorder.get("interactions", {}).values():
            status = (exchange.get("response") or {}).get("status_code", 0)
            statuses[status] += 1
            if 200 <= status < 300:
                well.add(recorder["label"])
    return statuses, well


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--include", help="regular expression of paths")
    options = parser.parse_args()
    checks = Checks("openapi")
    with Hospital("openapi") as hospital:
        admin = hospital.token("schemathesis", "admin")
        _, _, document = hospital.rest("GET", "/api/v1/openapi.json")
        many = look_at(checks, document)
        schema = hospital.folder / "openapi.json"
        schema.write_text(json.dumps(with_examples(document, *fill(hospital, admin))))
        report = hospital.folder / "report.ndjson"
        command = [os.path.join(os.path.dirname(sys.executable), "schemathesis"), "run", schema, "--url", hospital.url, "--tls-verify", hospital.root,
                   "--header", f"Authorization: Bearer {admin}", "--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing",
                   "--max-examples", EXAMPLES, "--seed", SEED, "--no-shrink", "--continue-on-failure", "--generation-database", "none",
                   "--request-timeout", "20", "--workers", "2", "--warnings", "off", "--no-color", "--report", "ndjson", "--report-ndjson-path", report]
        for path in LEFT_OUT:
            command += ["--exclude-path", path]
        if options.include:
            command += ["--include-path-regex", options.include]
        begun = time.monotonic()
        hooks = os.environ | {"SCHEMATHESIS_HOOKS": "openapi_hooks", "PYTHONPATH": os.path.dirname(os.path.abspath(__file__))}
        done = run(command, timeout=SECONDS, cwd=hospital.folder, env=hooks)
        statuses, well = answers(report)
        print(f"  {time.monotonic() - begun:.0f} s, {sum(statuses.values())} requests of {many} operations: "
              + ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items())))
        checks.that("schemathesis finds nothing", done.returncode == 0, done.stdout)
        checks.that("a third of the operations answered well at least once", options.include or len(well) > many / 3, sorted(well))
        if os.environ.get("KEEP_WORK"):
            (hospital.folder / "schemathesis.log").write_text(done.stdout)
            print(hospital.folder)
        checks.equal("the server is well", hospital.rest("GET", "/api/v1/status", admin)[0], 200)
        log = (hospital.folder / "ward.log").read_text()
        checks.that("and nothing panicked", "panicked" not in log, log[-2000:])
    return checks.summary()


if __name__ == "__main__":
    sys.exit(main())
