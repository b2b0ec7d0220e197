"""`sluice check --manifests`: what a cluster would refuse of plain manifests, at its line."""

from pathlib import Path

import pytest

from support.command_line import sluice

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 1
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
        - name: web
          image: registry.example.com/web:1.0
          ports:
            - containerPort: 8080
          resources:
            limits: {memory: 1Gi}
"""


def checked(folder: Path, text: str, *options: str) -> tuple[int, str]:
    (folder / "web.yaml").write_text(text)
    done = sluice("check", "--manifests", folder, *options)
    return done.returncode, done.stdout


def test_good_manifests_have_no_error(tmp_path: Path) -> None:
    assert checked(tmp_path, DEPLOYMENT)[0] == 0


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("replicas: 1", "replicas: -1", 6),
        ("1Gi", "80Gb", 19),
        ("8080", "99999", 17),
        ("name: web\nspec", "name: WEB_1\nspec", 4),
        ("      labels: {app: web}", "      labels: {app: other}", 8),
        ("replicas: 1", "replicsa: 1", 5),
        ("      containers:", "      restartPolicy: Sometimes\n      containers:", 13),
    ],
)
def test_what_the_server_refuses_is_found_at_its_line(
    tmp_path: Path, old: str, new: str, line: int
) -> None:
    assert old in DEPLOYMENT
    code, said = checked(tmp_path, DEPLOYMENT.replace(old, new, 1))
    assert code == 1
    assert any(text.startswith(f"web.yaml:{line}:") for text in said.splitlines()), said


def test_an_api_that_is_gone_is_found(tmp_path: Path) -> None:
    old = "apiVersion: policy/v1beta1\nkind: PodSecurityPolicy\nmetadata: {name: a}\nspec: {}\n"
    code, said = checked(tmp_path, old)
    assert (code, "DEP" in said) == (1, True)


def test_a_folder_that_is_not_there_is_wrong_use(tmp_path: Path) -> None:
    assert sluice("check", "--manifests", tmp_path / "nowhere").returncode == 2
