"""Trims the service models of an installed botocore to the operations moho serves.

Usage: python aws_model.py WANTED OUTPUT, where WANTED lists `service operation` pairs, one a line. Drops documentation,
deprecation texts, endpoint rules, waiters and examples; keeps every other trait, and the order of members.
"""

import gzip
import hashlib
import json
import pathlib
import shutil
import sys

import botocore

DROPPED = {"documentation", "deprecated", "deprecatedMessage", "deprecatedSince", "endpointdiscovery", "examples"}
METADATA = [
    "apiVersion",
    "endpointPrefix",
    "protocol",
    "protocols",
    "serviceId",
    "signatureVersion",
    "signingName",
    "targetPrefix",
    "xmlNamespace",
]


def trimmed(value):
    if isinstance(value, dict):
        return {key: trimmed(inner) for key, inner in value.items() if key not in DROPPED}
    if isinstance(value, list):
        return [trimmed(inner) for inner in value]
    return value


def trimmed_shape(shape):
    """Members may be named like a trait that is dropped, so their names are never looked at."""
    kept = {key: inner for key, inner in trimmed(shape).items() if key != "members"}
    if "members" in shape:
        kept["members"] = {name: trimmed(member) for name, member in shape["members"].items()}
    return kept


def closure(model, operations):
    """The shapes that the operations reach, in the model's own order."""
    reached, waiting = set(), []
    for name in operations:
        operation = model["operations"][name]
        waiting += [operation[side]["shape"] for side in ("input", "output") if side in operation]
        waiting += [error["shape"] for error in operation.get("errors", [])]
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        reached.add(name)
        shape = model["shapes"][name]
        waiting += [member["shape"] for member in shape.get("members", {}).values()]
        waiting += [shape[side]["shape"] for side in ("member", "key", "value") if side in shape]
    return {name: trimmed_shape(shape) for name, shape in model["shapes"].items() if name in reached}


def main(wanted, output):
    root = pathlib.Path(botocore.__file__).parent
    services = {}
    for line in wanted.read_text().splitlines():
        if line and not line.startswith("#"):
            service, operation = line.split()
            services.setdefault(service, []).append(operation)
    source = [f"package = botocore {botocore.__version__}", "licence = Apache-2.0 (LICENSE, NOTICE)"]
    for service, operations in services.items():
        version = sorted(path.name for path in (root / "data" / service).iterdir() if path.is_dir())[-1]
        packed = (root / "data" / service / version / "service-2.json.gz").read_bytes()
        model = json.loads(gzip.decompress(packed))
        kept = {
            "metadata": {key: model["metadata"][key] for key in METADATA if key in model["metadata"]},
            "operations": {name: trimmed(model["operations"][name]) for name in operations},
            "shapes": closure(model, operations),
        }
        text = json.dumps(kept, indent=1, ensure_ascii=True) + "\n"
        (output / f"{service}.json").write_text(text)
        source.append(f"sha256 data/{service}/{version}/service-2.json.gz = {hashlib.sha256(packed).hexdigest()}")
    licences = next(root.parent.glob(f"botocore-{botocore.__version__}.dist-info"))
    for name, kept in (("LICENSE.txt", "LICENSE"), ("NOTICE", "NOTICE")):
        shutil.copyfile(next(licences.rglob(name)), output / kept)
    (output / "SOURCE").write_text("\n".join(source) + "\n")


main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
