#!/usr/bin/python3
"""sbom.py ROOT: prints the components of a release as CycloneDX 1.5 JSON.

The Swift packages are those whose modules the release build linked, with their versions from Package.resolved. The Swift
runtime has the compiler's version. The Debian packages are those of the libraries that the loader uses for the two programs
in ROOT/usr/bin. The same inputs give the same bytes.
"""

import json
import re
import subprocess
import sys
from datetime import datetime, timezone
from os import environ
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[1]
PROGRAMS = ("sync-service", "sync-runner")


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def library(name, version, purl, **more):
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl, **more}


def linked_packages():
    """The names of the packages with a module among the linked objects. Package.resolved also has those of traits and tests."""
    built = SOURCES / ".build/release"
    objects = "".join((built / f"{program}.product/Objects.LinkFileList").read_text() for program in PROGRAMS)
    names = set()
    for module in set(re.findall(r"/([^/]+)\.build/", objects)):
        sources = built / f"{module}.build/sources"
        if sources.exists():
            names.update(name.lower() for name in re.findall(r"/checkouts/([^/]+)/", sources.read_text()))
    return names


def swift_packages():
    linked = linked_packages()
    for pin in json.loads((SOURCES / "Package.resolved").read_text())["pins"]:
        if pin["identity"] not in linked:
            continue
        address = pin["location"].removesuffix(".git")
        version, revision = pin["state"]["version"], pin["state"]["revision"]
        yield library(
            pin["identity"], version, f"pkg:swift/{address.removeprefix('https://')}@{version}",
            externalReferences=[{"type": "vcs", "url": address}],
            properties=[{"name": "revision", "value": revision}, {"name": "linked", "value": "statically"}])


def swift_runtime():
    version = re.search(r"Swift version (\S+)", output("swift", "--version")).group(1)
    return library("swift-runtime", version, f"pkg:generic/swift-runtime@{version}", properties=[{"name": "linked", "value": "statically"}])


def owner(path):
    """The Debian package of a library. The loader may print /lib where the package has /usr/lib, or the other way round."""
    for known in (path, f"/usr{path}", path.removeprefix("/usr")):
        found = subprocess.run(["dpkg-query", "-S", known], capture_output=True, text=True)
        if found.returncode == 0:
            return found.stdout.split(":")[0]
    sys.exit(f"ERROR: {path} belongs to no Debian package; build on a machine with Debian's libraries")


def debian_packages(root):
    libraries = {}
    for program in PROGRAMS:
        for path in re.findall(r"=> (/\S+) \(|^\s+(/\S+) \(", output("ldd", str(root / "usr/bin" / program)), re.M):
            found = path[0] or path[1]
            libraries.setdefault(owner(found), set()).add(Path(found).name)
    for name in sorted(libraries):
        version, architecture = output("dpkg-query", "-W", "-f", "${Version} ${Architecture}", name).split()
        yield library(
            name, version, f"pkg:deb/debian/{name}@{version.replace(':', '%3A').replace('+', '%2B')}?arch={architecture}&distro=bookworm",
            properties=[{"name": "linked", "value": "dynamically"}, {"name": "provides", "value": " ".join(sorted(libraries[name]))}])


def main(root):
    control = (root / "DEBIAN/control").read_text()
    fields = dict(re.findall(r"^(Version|Architecture): (.+)$", control, re.M))
    version = fields["Version"]
    ref = f"pkg:deb/sync-service@{version}?arch={fields['Architecture']}"
    components = [*swift_packages(), swift_runtime(), *debian_packages(root)]
    time = datetime.fromtimestamp(int(environ["SOURCE_DATE_EPOCH"]), timezone.utc)
    json.dump({
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {"type": "application", "bom-ref": ref, "name": "sync-service", "version": version, "purl": ref},
        },
        "components": components,
        "dependencies": [{"ref": ref, "dependsOn": [component["bom-ref"] for component in components]}],
    }, sys.stdout, indent=2)
    print()


main(Path(sys.argv[1]))
