"""A result file of an evaluation, as the harness writes it."""

from typing import Any

FILE: dict[str, Any] = {
    "results": {
        "mmlu": {"alias": "mmlu", "acc,none": 0.7, "acc_stderr,none": 0.004},
        "gsm8k": {
            "alias": "gsm8k",
            "exact_match,strict-match": 0.5,
            "exact_match_stderr,strict-match": 0.01,
            "exact_match,flexible-extract": 0.6,
            "exact_match_stderr,flexible-extract": "N/A",
            "sample_len": 1319,
        },
    },
    "configs": {
        "mmlu": {"dataset_path": "cais/mmlu", "dataset_name": "all", "num_fewshot": 5},
        "gsm8k": {"dataset_path": "gsm8k", "metadata": {"version": 3.0}},
    },
    "versions": {"mmlu": 2, "gsm8k": 3},
    "n-shot": {"mmlu": 5, "gsm8k": 5},
    "n-samples": {"mmlu": {"original": 14042, "effective": 14042}},
    "date": 1731655933.5,
    "git_hash": "abc123",
}
