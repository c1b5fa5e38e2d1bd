"""docs/errors.md, written from the catalogue; a test holds the two equal."""

from __future__ import annotations

from rhotwist.control.trouble import ENTRIES


def page() -> str:
    """docs/errors.md as it must read."""
    lines = [
        "# Errors",
        "",
        "Every error that `rho` and `twistd rhocoin` print has three lines and a code:",
        "",
        "```",
        "error: what could not be done",
        "why: what was found",
        "try: what to do now [RHO-nnnn]",
        "```",
        "",
        "`rho explain CODE` prints the entry of a code. Words in braces are filled in. This page is written from",
        "the one catalogue, `rhotwist/control/trouble.py`: `rho explain --page > docs/errors.md`.",
    ]
    titles = {
        "RHO-10": "Options and configuration", "RHO-11": "This machine and its processes",
        "RHO-12": "Wallets and passphrases", "RHO-22": "Others on the net", "RHO-23": "Files",
        "RHO-24": "Contacts and conversations", "RHO-26": "The directory", "RHO-90": "Ourselves",
    }  # fmt: skip
    shown = ""
    for code, entry in sorted(ENTRIES.items()):
        if code[:6] != shown:
            shown = code[:6]
            lines += ["", f"## {titles[shown]}"]
        lines += [
            "",
            f"### {code}",
            f"- error: {entry.what}",
            f"- why: {entry.why}",
            f"- try: {entry.hint}",
            f"- exit status: {entry.exit_status}",
        ]
    return "\n".join(lines) + "\n"
