"""Self-checks for the exercises: say which mistake was made, not just that one was."""

import torch


def check_answer(answer, right, mistakes, tolerance=1e-6):
    """Print one line about `answer`.

    answer: the student's number or tensor, or None where the exercise is not attempted yet.
    right: the correct value. mistakes: explanation -> the value that this mistake gives.
    tolerance: largest absolute difference that still counts as equal.
    ValueError for values that are not finite: no answer would be near them.
    """
    for value in (right, *mistakes.values()):
        if not torch.as_tensor(value).double().isfinite().all():
            raise ValueError(f"an answer can be compared with finite values only, not {value}")
    if answer is None or answer is Ellipsis:
        print("Not attempted yet.")
        return
    answer, right = torch.as_tensor(answer).detach().double(), torch.as_tensor(right).double()
    if answer.shape != right.shape:
        print(f"The shape is {tuple(answer.shape)}, but it should be {tuple(right.shape)}.")
        return
    if _equal(answer, right, tolerance):
        print("Right.")
        return
    for explanation, value in mistakes.items():
        if _equal(answer, torch.as_tensor(value).double(), tolerance):
            print(f"Not yet: {explanation}")
            return
    print("Not yet. It is none of the usual mistakes: try the first hint.")


def _equal(a, b, tolerance):
    return a.shape == b.shape and bool(((a - b).abs() <= tolerance).all())
