"""Tables of a listening test for a paper: Markdown and LaTeX."""

from __future__ import annotations

from typing import Any

from d2m.evaluation.latex import escape


def table_rows(report: dict[str, Any]) -> tuple[list[str], list[tuple[str, list[dict[str, Any]]]]]:
    """Return the questions, and the scores of each system, the best mean over all questions first.

    Args:
        report: of :func:`~d2m.evaluation.listening.analysis.analyse`.
    """
    questions = list(report["questions"])
    systems = list(report["questions"][questions[0]]["scores"])
    rows = [(system, [report["questions"][q]["scores"][system] for q in questions]) for system in systems]
    return questions, sorted(rows, key=lambda row: -sum(score["mean"] for score in row[1]))


def markdown(report: dict[str, Any]) -> str:
    """Format mean opinion scores with their 95 % intervals as a Markdown table.

    Args:
        report: of :func:`~d2m.evaluation.listening.analysis.analyse`.
    """
    questions, rows = table_rows(report)
    lines = [["system", *questions], ["---"] * (1 + len(questions))]
    lines += [
        [system.replace("|", "\\|"), *(_text(score, " ({} to {})") for score in scores)] for system, scores in rows
    ]
    table = "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
    return f"{table}\n\n{caption(report)}\n"


def latex(report: dict[str, Any]) -> str:
    """Format mean opinion scores with their 95 % intervals as a LaTeX table (package booktabs).

    The best system of each question is bold; the original and the anchors never are.

    Args:
        report: of :func:`~d2m.evaluation.listening.analysis.analyse`.
    """
    questions, rows = table_rows(report)
    judged = [row for row in rows if not row[0].startswith("anchor") and row[0] != report.get("reference")]
    best = [max((round(row[1][i]["mean"], 2) for row in judged), default=0.0) for i in range(len(questions))]
    compared = {system for system, _ in judged} if len(judged) > 1 else set()
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\begin{{tabular}}{{l{'c' * len(questions)}}}",
        r"\toprule",
        rf"{' & '.join(['', *map(escape, questions)])} \\",
        r"\midrule",
    ]
    for system, scores in rows:
        cells = []
        for score, top in zip(scores, best, strict=True):
            text = _text(score, r" {{\scriptsize [{}, {}]}}")
            bold = system in compared and round(score["mean"], 2) == top
            cells.append(rf"\textbf{{{text}}}" if bold else text)
        lines.append(rf"{escape(system)} & {' & '.join(cells)} \\")
    lines += [r"\bottomrule", r"\end{tabular}", rf"\caption{{{escape(caption(report))}}}", r"\end{table}"]
    return "\n".join(lines) + "\n"


def caption(report: dict[str, Any]) -> str:
    """Describe the numbers of a table.

    Args:
        report: of :func:`~d2m.evaluation.listening.analysis.analyse`.
    """
    count, left_out = report["listeners"], len(report["left_out"])
    people = f"{count} listener{'' if count == 1 else 's'}"
    gone = f", {left_out} left out" if left_out else ""
    return f"Mean opinion score (1 to 5) and 95 % interval, bootstrap over listeners; {people}{gone}."


def _text(score: dict[str, Any], interval: str) -> str:
    """A mean with its interval, where there is one."""
    text = f"{score['mean']:.2f}"
    return text if score["low"] is None else text + interval.format(f"{score['low']:.2f}", f"{score['high']:.2f}")
