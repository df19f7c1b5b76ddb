"""What the tests are given: one server for most of them, and a maker of servers for those that break theirs."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import serving
from serving import MODEL, UNGRANTED, Moho


@pytest.fixture(scope="session")
def moho(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moho]:
    """A server with the demo model under two names, of which one is granted to the account."""
    models = {MODEL: serving.model_file(), UNGRANTED: serving.model_file()}
    server = Moho(tmp_path_factory.mktemp("moho") / "data", models=models)
    try:
        yield server.start()
    finally:
        server.end()


@pytest.fixture(autouse=True)
def unharmed(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each test of the shared server it still runs, and nothing in it panicked."""
    yield
    if "moho" in request.fixturenames:
        request.getfixturevalue("moho").assert_unharmed()


@pytest.fixture
def make_moho(tmp_path: Path) -> Iterator[Callable[..., Moho]]:
    """Makes servers (not started) that end with the test."""
    made: list[Moho] = []

    def make(data: Path | None = None, **options) -> Moho:
        made.append(Moho(data or tmp_path / f"moho-{len(made)}", **options))
        return made[-1]

    yield make
    for server in made:
        server.end()
