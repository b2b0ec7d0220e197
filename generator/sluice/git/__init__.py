"""Git through libgit2: read and write trees, move refs safely, read history, talk to remotes.

Everything works on the object database and the refs; no work tree is ever read or written. A
`Repository` belongs to one thread; open one per thread and per process.
"""

# First: what pygit2 reads as it is imported must be in order.
from sluice.git.network import check_trust  # isort: split

from sluice.git.callbacks import CredentialsRefusedError, Login, redact
from sluice.git.checkout import (
    ATTRIBUTES,
    find_rewritten,
    is_ignored,
    is_unchanged,
    refuse_replaced,
)
from sluice.git.commits import Merge, choose_committer, commit, merge_trees
from sluice.git.history import (
    FileChange,
    collect_file_changes,
    commit_of,
    diff_text,
    file_history,
    is_ancestor,
    merge_base,
    walk_history,
)
from sluice.git.merged import Merged
from sluice.git.packing import pack
from sluice.git.pushing import PushRefusedError, push, push_each
from sluice.git.refs import RefMovedError, list_refs, tip, update_ref
from sluice.git.remote import clone, fetch, list_remote_refs, read_remote_url
from sluice.git.repository import Repository, init_bare, open_repository, resolve
from sluice.git.signing import Signer, SigningError, find_signer, sign
from sluice.git.store import Store
from sluice.git.trees import (
    Entry,
    Tree,
    changed_paths,
    compute_blob_id,
    find_ids,
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
    "changed_paths",
    "check_trust",
    "choose_committer",
    "clone",
    "collect_file_changes",
    "commit",
    "commit_of",
    "compute_blob_id",
    "diff_text",
    "fetch",
    "file_history",
    "find_ids",
    "find_rewritten",
    "find_signer",
    "init_bare",
    "is_ancestor",
    "is_ignored",
    "is_unchanged",
    "list_refs",
    "list_remote_refs",
    "list_tree",
    "merge_base",
    "merge_trees",
    "open_mirror",
    "open_repository",
    "pack",
    "push",
    "push_each",
    "read_blob",
    "read_remote_url",
    "read_tree",
    "redact",
    "refuse_replaced",
    "resolve",
    "sign",
    "tip",
    "update_ref",
    "walk_history",
    "write_tree",
]
