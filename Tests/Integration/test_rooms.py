"""The folders of every target are floors: who names a type of another folder stands above it, so no folders form a circle.

A folder depends on another where one of its files names a type that the other declares (Swift), or includes a header of
it (C). Types that several files declare, or that are private to a file, tell nothing and are left out.
"""
import os
import re
import sys

SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "Sources")

# Folders that must not depend on others, not even through a third: judges share nothing with those they judge.
APART = [
    ("ParvaEngine", "Checking", ("Admission", "Packing", "Planning", "Planners")),
    ("ParvaEngine", "Reference", ("Admission", "Packing", "Planning", "Planners")),
    ("ParvaEngine", "Simulation", ("Admission", "Packing", "Planning", "Planners")),
]

COMMENT_OR_TEXT = re.compile(r'"""[\s\S]*?"""|"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*[\s\S]*?\*/')
TOKEN = re.compile(r"[A-Za-z_]\w*|[{}]")
KINDS = {"struct", "class", "enum", "actor", "protocol", "typealias"}
PRIVATE = {"private", "fileprivate"}
MODIFIERS = PRIVATE | {"public", "package", "internal", "final", "indirect", "nonisolated", "unchecked", "Sendable"}
# What `class` may stand before without declaring a type.
NO_NAME = {"func", "var"}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def declared(tokens):
    """Types that a file declares for others, outside every brace."""
    found, depth = set(), 0
    for index, token in enumerate(tokens):
        if token == "{":
            depth += 1
        elif token == "}":
            depth -= 1
        elif depth == 0 and token in KINDS and index + 1 < len(tokens):
            first = index
            while first > 0 and tokens[first - 1] in MODIFIERS:
                first -= 1
            if not PRIVATE & set(tokens[first:index]) and tokens[index + 1] not in NO_NAME:
                found.add(tokens[index + 1])
    return found


def dependencies(target):
    """For each folder of a target the folders it depends on, each with the names that say so."""
    root = os.path.join(SOURCES, target)
    folder_of, names, declarers, headers = {}, {}, {}, {}
    for path, _, files in os.walk(root):
        folder = os.path.relpath(path, root)
        for file in files:
            place = os.path.join(path, file)
            if file.endswith(".swift"):
                with open(place, encoding="utf-8") as text:
                    tokens = TOKEN.findall(COMMENT_OR_TEXT.sub(" ", text.read()))
                folder_of[place], names[place] = folder, set(tokens)
                for name in declared(tokens):
                    declarers.setdefault(name, set()).add(place)
            elif file.endswith((".c", ".h")):
                with open(place, encoding="utf-8") as text:
                    folder_of[place], names[place] = folder, {os.path.basename(n) for n in INCLUDE.findall(text.read())}
                if file.endswith(".h"):
                    headers.setdefault(file, set()).add(place)
    edges = {folder: {} for folder in folder_of.values()}
    for place, used in names.items():
        for name in used:
            owners = (headers if name.endswith(".h") else declarers).get(name, set())
            for owner in owners if len(owners) == 1 else ():
                if folder_of[owner] != folder_of[place]:
                    edges[folder_of[place]].setdefault(folder_of[owner], set()).add(name)
    return edges


def floors(page):
    """For each target the lines of its table of floors, from above: the folders of each, the target's own as `.`."""
    found = {}
    for table in re.finditer(r"^\| floor of `Sources/(\w+)`, from above \|.*\n\|[-|]+\n((?:\|.*\n)+)", page, re.MULTILINE):
        rows = [re.findall(r"`([^`]+)`", row.split("|")[1]) for row in table[2].splitlines()]
        found[table[1]] = [{"." if name.endswith(".swift") else name.strip("/") for name in row} for row in rows]
    return found


def misplaced(edges, lines):
    """What is wrong with a table: folders it does not list or invents, and uses of a floor that is not below."""
    level = {folder: number for number, line in enumerate(lines) for folder in line}
    rooms = {folder.split("/")[0] for folder in edges}
    faults = [f"{room} is not in the table" for room in sorted(rooms - set(level))]
    faults += [f"there is no {room}" for room in sorted(set(level) - rooms)]
    for a in sorted(edges):
        for b, names in sorted(edges[a].items()):
            above, below = a.split("/")[0], b.split("/")[0]
            if above != below and above in level and below in level and level[above] >= level[below]:
                faults.append(f"{a} uses {b}, which is not below it, by {', '.join(sorted(names)[:5])}")
    return faults


def reach(edges, start):
    seen, open_ends = set(), [start]
    while open_ends:
        for folder in edges.get(open_ends.pop(), {}):
            if folder not in seen:
                seen.add(folder)
                open_ends.append(folder)
    return seen


def main():
    bad = 0

    def check(name, faults):
        nonlocal bad
        print(f"{'not ok' if faults else 'ok'} - {name}")
        for fault in faults:
            print(f"  {fault}")
        bad |= bool(faults)

    targets = sorted(t for t in os.listdir(SOURCES) if os.path.isdir(os.path.join(SOURCES, t)))
    graphs = {target: dependencies(target) for target in targets}
    for target, edges in graphs.items():
        above = {folder: reach(edges, folder) for folder in edges}
        circle = [
            f"{a} -> {b} by {', '.join(sorted(names)[:5])}"
            for a in sorted(edges)
            for b, names in sorted(edges[a].items())
            if a in above[b]
        ]
        check(f"no folders of {target} form a circle", circle)
    with open(os.path.join(SOURCES, "..", "docs", "architecture.md"), encoding="utf-8") as page:
        text = page.read()
    tables = floors(text)
    for target, edges in graphs.items():
        if len({folder.split("/")[0] for folder in edges} - {"include"}) > 1 or target in tables:
            faults = misplaced(edges, tables[target]) if target in tables else ["it has no table of floors"]
            check(f"{target} stands as its floors in docs/architecture.md", faults)
    walked = re.findall(r"`(\w+/[^`\s]*\.swift)`", text)
    check(
        "the walks of docs/architecture.md name files that are there",
        [f"there is no {p}" for p in walked if not os.path.exists(os.path.join(SOURCES, p))] or ([] if walked else ["none"]))
    for target, folder, strangers in APART:
        met = sorted(f for f in reach(graphs[target], folder) if f.split("/")[0] in strangers)
        check(f"{folder} of {target} depends on none of {', '.join(strangers)}", [f"it reaches {f}" for f in met])
    # A check that finds nothing anywhere would be green for ever.
    upside_down = misplaced(graphs["ParvaControl"], tables["ParvaControl"][::-1])
    check("the check sees a table that is upside down", [] if upside_down else ["it does not"])
    check("the check sees who depends on whom", [] if "Geometry" in graphs["ParvaEngine"]["Planning"] else ["it does not"])
    return bad


sys.exit(main())
