"""Renew package-lock.json after a change of package.json: ``python tools/javascript/lock.py``.

The site uses finished bundles out of these packages' ``dist`` folders, so the lock names the
packages alone, without what they would need to be built: five downloads in place of three hundred.
The lock holds no addresses either; npm takes each package from the registry that it is configured
for and checks it against the sha512.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    manifest = json.loads((HERE / "package.json").read_text(encoding="utf-8"))
    own = {name: manifest[name] for name in ("name", "version", "dependencies")}
    packages: dict[str, dict] = {"": own}
    for name, version in manifest["dependencies"].items():
        command = ["npm", "view", f"{name}@{version}", "dist.integrity", "license", "--json"]
        said = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        packages[f"node_modules/{name}"] = {
            "version": version,
            "integrity": said["dist.integrity"],
            "license": said["license"],
        }
    lock = {
        "name": manifest["name"],
        "version": manifest["version"],
        "lockfileVersion": 3,
        "requires": True,
        "packages": packages,
    }
    (HERE / "package-lock.json").write_text(json.dumps(lock, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
