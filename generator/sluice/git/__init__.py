"""Git through libgit2: read and write trees, move refs safely, read history, talk to remotes.

Everything works on the object database and the refs; no work tree is ever read or written. A
`Repository` belongs to one thread; open one per thread and per process.
"""

# First: what pygit2 reads as it is imported must be in order.
from sluice.git.network import check_trust  # isort: split

from sluice.git.callbacks import CredentialsRefusedError, Login, redact
from sluice.git.checkout import ATTRIBUTES, is_ignored, is_unchanged, refuse_replaced, rewriting
from sluice.git.commits import Merge, commit, committer_of, merge_trees
from sluice.git.history import (
    FileChange,
    commit_of,
    diff_text,
    file_changes,
    file_history,
    history_of,
    is_ancestor,
    merge_base,
)
from sluice.git.merged import Merged
from sluice.git.packing import pack
from sluice.git.refs import RefMovedError, refs_under, tip, update_ref
from sluice.git.remote import (
    PushRefusedError,
    advertised,
    clone,
    fetch,
    push,
    push_each,
    remote_url,
)
from sluice.git.repository import Repository, init_bare, open_repository, resolve
from sluice.git.signing import Signer, SigningError, sign, signer_of
from sluice.git.store import Store
from sluice.git.trees import (
    Entry,
    Tree,
    blob_id,
    changed_paths,
    ids_at,
    list_tree,
    read_blob,
    read_tree,
)
from sluice.git.upstream import Direct, Mirror, Upstream, open_mirror
from sluice.git.write import write_tree

__all__ = [
    "ATTRIBUTES",
    "CredentialsRefusedError",
    "Direct",
    "Entry",
    "FileChange",
    "Login",
    "Merge",
    "Merged",
    "Mirror",
    "PushRefusedError",
    "RefMovedError",
    "Repository",
    "Signer",
    "SigningError",
    "Store",
    "Tree",
    "Upstream",
    "advertised",
    "blob_id",
    "changed_paths",
    "check_trust",
    "clone",
    "commit",
    "commit_of",
    "committer_of",
    "diff_text",
    "fetch",
    "file_changes",
    "file_history",
    "history_of",
    "ids_at",
    "init_bare",
    "is_ancestor",
    "is_ignored",
    "is_unchanged",
    "list_tree",
    "merge_base",
    "merge_trees",
    "open_mirror",
    "open_repository",
    "pack",
    "push",
    "push_each",
    "read_blob",
    "read_tree",
    "redact",
    "refs_under",
    "refuse_replaced",
    "remote_url",
    "resolve",
    "rewriting",
    "sign",
    "signer_of",
    "tip",
    "update_ref",
    "write_tree",
]
