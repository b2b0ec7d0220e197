"""Commits are signed by real keys, as Git itself verifies, or they are not made."""

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice import git
from support.git_fixtures import AUTHOR, assert_sound, put, run_git
from support.git_keys import PASSPHRASE, Keys, gpg_keys, ssh_agent, ssh_keys

SETTING, SECRET = "SLUICE_GIT_SIGNING", "SLUICE_GIT_SIGNING_PASSPHRASE"
SOURCES = Path(git.__file__).parents[1]


@pytest.fixture
def repo(tmp_path: Path) -> git.Repository:
    repo = git.init_bare(tmp_path / "a.git")
    put(repo, {"a": b"1"})
    return repo


@pytest.fixture(scope="module")
def gpg() -> Iterator[Keys]:
    with gpg_keys() as keys:
        yield keys


@pytest.fixture(scope="module")
def locked() -> Iterator[Keys]:
    with gpg_keys(PASSPHRASE) as keys:
        yield keys


@pytest.fixture
def keys(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keys:
    """Keys of a kind: those of GnuPG, or else of SSH; with a passphrase, or without one."""
    kind, _, secret = request.param.partition(" ")
    found: Keys
    if kind == "gpg":
        found = request.getfixturevalue("locked" if secret else "gpg")
    else:
        found = ssh_keys(tmp_path, PASSPHRASE if secret else "")
    for name, value in found.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(SETTING, found.setting)
    if secret:
        monkeypatch.setenv(SECRET, PASSPHRASE)
    return found


def with_keys(*kinds: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("keys", kinds, indirect=True)


def made(repo: git.Repository, message: str = "subject\n\nModel: é\n") -> str:
    tree = git.write_tree(repo, "main", {"b": b"2"})
    return git.commit(repo, tree, [git.resolve(repo, "main")], message, AUTHOR, time=1_000)


def refused(repo: git.Repository) -> str:
    """What is said when nothing can be signed; no commit is left behind."""
    before = commits(repo)
    with pytest.raises(git.SigningError) as caught:
        made(repo)
    said = str(caught.value)
    assert commits(repo) == before
    assert "\n" not in said
    assert PASSPHRASE not in said
    assert len(said) < 500
    return said


def commits(repo: git.Repository) -> int:
    listed = run_git(repo.path, "cat-file", "--batch-all-objects", "--batch-check")
    return listed.count(" commit ")


@with_keys("gpg", "ssh", "gpg locked", "ssh locked")
def test_git_verifies_what_was_signed(repo: git.Repository, keys: Keys) -> None:
    commit = made(repo)
    assert keys.verifies(repo, commit)
    found = git.commit_of(repo, commit)
    assert (found.author, found.time, found.trailers) == (AUTHOR.name, 1_000, {"Model": "é"})
    git.update_ref(repo, "refs/heads/x", commit, None)
    assert_sound(repo.path)


def test_nothing_is_signed_unless_it_is_asked_for(
    repo: git.Repository, gpg: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SETTING)
    repo.config["commit.gpgsign"] = "false"
    assert not gpg.verifies(repo, made(repo))


@with_keys("gpg", "ssh")
def test_without_a_setting_git_s_own_configuration_counts(
    repo: git.Repository, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SETTING)
    form, _, key = keys.setting.partition(":")
    repo.config["commit.gpgsign"] = "true"
    repo.config["gpg.format"] = {"gpg": "openpgp", "ssh": "ssh"}[form]
    repo.config["user.signingkey"] = key
    assert keys.verifies(repo, made(repo))
    monkeypatch.setenv(SETTING, "off")
    assert not keys.verifies(repo, made(repo, "another"))


@with_keys("gpg")
def test_the_key_is_the_committer_s_when_none_is_named(
    repo: git.Repository, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SETTING)
    repo.config["commit.gpgsign"] = "true"
    assert f"gpg:{AUTHOR.name} <{AUTHOR.email}>" in refused(repo)
    monkeypatch.setenv("GIT_COMMITTER_NAME", "Bot")
    monkeypatch.setenv("GIT_COMMITTER_EMAIL", "bot@example.com")
    commit = made(repo)
    assert keys.verifies(repo, commit)
    assert run_git(repo.path, "log", "-1", "--format=%cn %ce %an", commit) == (
        f"Bot bot@example.com {AUTHOR.name}"
    )


@pytest.mark.parametrize("name", ["gpg.program", "gpg.openpgp.program"])
@with_keys("gpg")
def test_the_configured_program_signs(
    repo: git.Repository, keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv(SETTING)
    script = program(tmp_path, f'touch {tmp_path}/ran; exec gpg "$@"')
    repo.config["commit.gpgsign"] = "true"
    repo.config["user.signingkey"] = keys.setting.removeprefix("gpg:")
    repo.config[name] = str(script)
    assert keys.verifies(repo, made(repo))
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("prefix", ["", "key::"])
@with_keys("ssh")
def test_an_agent_signs_for_a_public_key(
    repo: git.Repository,
    keys: Keys,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    prefix: str,
) -> None:
    private = Path(keys.setting.removeprefix("ssh:"))
    public = private.with_suffix(".pub").read_text().strip()
    monkeypatch.setenv(SETTING, f"ssh:{prefix}{public}")
    assert "agent must hold" in refused(repo)
    with ssh_agent(tmp_path, private) as socket:
        monkeypatch.setenv("SSH_AUTH_SOCK", socket)
        private.unlink()
        assert keys.verifies(repo, made(repo))


@with_keys("gpg locked", "ssh locked")
def test_a_wrong_passphrase_or_none_is_one_line(
    repo: git.Repository, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SECRET, f"{PASSPHRASE} not")
    assert SECRET in refused(repo)
    monkeypatch.delenv(SECRET)
    monkeypatch.setenv("DISPLAY", "")
    assert SECRET in refused(repo)
    assert "terminal" not in refused(repo)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("gpg:nobody@example.com", "No secret key; import it with gpg --import"),
        ("ssh:/no/such/key", "name the file of a private key"),
        ("gpg", "must be gpg:KEY, ssh:FILE or off"),
        ("ssh:", "must be gpg:KEY, ssh:FILE or off"),
        ("true", "must be gpg:KEY, ssh:FILE or off"),
    ],
)
def test_a_key_that_is_not_there_is_one_line(
    repo: git.Repository, gpg: Keys, monkeypatch: pytest.MonkeyPatch, setting: str, said: str
) -> None:
    monkeypatch.setenv("GNUPGHOME", gpg.environ["GNUPGHOME"])
    monkeypatch.setenv(SETTING, setting)
    assert said in refused(repo)


@with_keys("ssh")
def test_a_key_that_others_may_read_is_refused(repo: git.Repository, keys: Keys) -> None:
    key = Path(keys.setting.removeprefix("ssh:"))
    key.chmod(0o644)
    assert "chmod 600" in refused(repo)
    key.chmod(0o600)
    key.write_text("garbage\n")
    key.with_suffix(".pub").unlink()
    assert "name the file of a private key" in refused(repo)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("gpg.format", "x509", "gpg.format is x509"),
        ("gpg.format", "ssh", "set user.signingKey"),
        ("commit.gpgsign", "maybe", "commit.gpgSign"),
        ("gpg.program", "/no/such/program", "no program /no/such/program: install it"),
        ("gpg.program", "/etc", "Permission denied"),
    ],
)
def test_a_configuration_that_cannot_work_is_one_line(
    repo: git.Repository, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.delenv(SETTING)
    repo.config["commit.gpgsign"] = "true"
    repo.config[name] = value
    assert said in refused(repo)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exec sleep 60", "no signature within"),
        ("echo fine", "no signature came"),
        ("exit 3", "it gives no reason"),
    ],
)
@pytest.mark.parametrize("form", ["openpgp", "ssh"])
def test_a_program_that_does_not_sign_is_one_line(
    repo: git.Repository,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    form: str,
    script: str,
    said: str,
) -> None:
    monkeypatch.delenv(SETTING)
    monkeypatch.setattr("sluice.git.signing._SECONDS", 0.5)
    repo.config["commit.gpgsign"] = "true"
    repo.config["gpg.format"] = form
    repo.config["user.signingkey"] = "some"
    repo.config[f"gpg.{form}.program"] = str(
        program(tmp_path, script.replace("cat", "cat </dev/null"))
    )
    assert said in refused(repo)


def program(folder: Path, script: str) -> Path:
    path = folder / "program"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_commits_are_written_in_one_place() -> None:
    written = [
        path.relative_to(SOURCES).as_posix()
        for path in SOURCES.rglob("*.py")
        if "create_commit" in path.read_text()
    ]
    assert written == ["git/commits.py"]
