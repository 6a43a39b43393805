"""`sources: false`, and code that runs or reads a source by its file name."""

import re

from tests.bytecode.test_build import coded, manifest
from tests.conftest import HANDLER, Repository

__all__ = ["coded"]

RUN = "#!/bin/sh\n# other.py is not this\nexec python3 app.py\n"


def test_a_handler_that_starts_a_source(coded: Repository) -> None:
    """A script that cannot start is refused, with the ways on, each of which builds."""
    text = manifest("    sources: false\n").replace("app.handler", "run.sh")
    coded.write({"lambdas.yaml": text, "lambdas/api/run.sh": RUN})
    message = coded.fails().message
    assert "lambda 'api': its handler 'run.sh' could not start" in message
    named = "'app.py' is named, and 'sources: false' leaves app.pyc alone"
    assert f"lambdas/api/run.sh:3: {named}" in message
    assert "other.py" not in message
    coded.write({"lambdas/api/run.sh": RUN.replace("app.py", "-m app")})
    coded.doit()
    coded.write({"lambdas/api/run.sh": RUN})
    assert "could not start" in coded.fails().message  # after an edit, too
    coded.write({"lambdas.yaml": text.replace("sources: false", "sources: true")})
    coded.doit()
    coded.write({
        "lambdas.yaml": text,
        "lambdas/api/run.sh": RUN.replace("app.py", "app-script.py"),
        "lambdas/api/app-script.py": "import app\n",
    })  # fmt: skip
    coded.doit()
    assert "app-script.py" in coded.members("api")


def test_a_source_that_code_names(coded: Repository) -> None:
    """A warning has the place of a file name in a string, and in other scripts; once."""
    coded.write({
        "lambdas.yaml": manifest("    sources: false\n"),
        "lambdas/api/app.py": f"import other\nWORKER = f'{{__file__}}/../worker.py'\n{HANDLER}",
        "lambdas/api/worker.py": "# 'app.py' is my caller\nNAMES = 'worker.pyx', 'my_other.py'\n",
        "lambdas/api/start": "#!/bin/bash\npython other.py && python worker.py\n",
        "lambdas/api/notes.txt": "python app.py\n",
    })  # fmt: skip
    output = coded.doit().output
    named = re.findall(r"warning: '(\w+\.py)' is named, .*\((.*)\)", output)
    assert sorted(named) == [
        ("other.py", "lambdas/api/start:2"),
        ("worker.py", "lambdas/api/app.py:2, lambdas/api/start:2"),
    ]
    assert "'python -m worker'" in output
    assert "is named" not in coded.doit().output
    coded.write({"lambdas.yaml": manifest()})
    assert "is named" not in coded.doit().output
