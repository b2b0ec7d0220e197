"""`make bench`: every benchmark, with ratios against something measured in the same run."""

import sys

from benchmarks import (
    bench_check,
    bench_git,
    bench_reconcile,
    bench_registry,
    bench_render,
    bench_rollouts,
    bench_start,
)


def main() -> None:
    modules = {
        "Starting": bench_start,
        "Rendering": bench_render,
        "Checking": bench_check,
        "Rollouts": bench_rollouts,
        "Reconciling, seconds of the processor": bench_reconcile,
    }
    for title, module in modules.items():
        sys.stdout.write(f"{title}\n")
        for line in module.report(module.run()):
            sys.stdout.write(f"  {line}\n")
    sys.stdout.write("Watching a registry, 10,000 models of 10 versions\n")
    for line in bench_registry.report(bench_registry.run()):
        sys.stdout.write(f"  {line}\n")
    sys.stdout.write("Git, 60,000 files\n")
    bench_git.main()


if __name__ == "__main__":
    main()
