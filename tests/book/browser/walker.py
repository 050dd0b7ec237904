"""A walk through an explorer: every control is found, moved, and must change what is shown.

The walk knows no explorer. It takes what a reader would take for a control (inputs, buttons, links
to a file, what can have the focus, what shows a hand), moves it by mouse, finger or keyboard, and
compares what the explorer shows before and after. A control's own echo (its number, its pressed
look) is no answer. Some controls act only after others were moved, say a choice of what covers a
face that nothing covers yet: what did not answer is tried again with all sliders moved.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import skimage
from PIL import Image
from playwright.sync_api import ElementHandle, Locator, Page
from playwright.sync_api import Error as PlaywrightError

SCRIPT = Path(__file__).with_name("walk.js").read_text(encoding="utf-8")

# Pictures of WebGL are gone once they are on the screen, unless the page asks to keep them.
KEEP_PICTURES = """
    const before = HTMLCanvasElement.prototype.getContext;
    HTMLCanvasElement.prototype.getContext = function (kind, settings, ...more) {
      const kept = { ...settings, preserveDrawingBuffer: true };
      return before.call(this, kind, kind.startsWith("webgl") ? kept : settings, ...more);
    };
"""

# What will become an explorer: widgets with a script of their own, and marked places of pages
# that need no widgets. Forms, like quizzes, are there from the start.
EXPECTED = """() => {
  const read = (kind) => [...document.querySelectorAll(`script[type$="widget-${kind}+json"]`)]
    .map((script) => JSON.parse(script.textContent));
  const models = Object.assign({}, ...read("state").map(({ state }) => state));
  const views = read("view").filter(({ model_id }) => models[model_id]?.state._esm);
  return views.length + document.querySelectorAll("[data-explorer], form.vx").length;
}"""

ALIVE = 180_000  # ms for an explorer to load its networks and pictures
SOON = 1_500  # ms for an answer
PLAYS = 3_000  # ms after which what still changes may be an animation
LATE = 20_000  # ms for a file or a word about one
MOST_CONTROLS = 250  # a walk that finds more goes in circles
ORDER = ("drag", "range", "number", "text", "select", "checkbox", "radio", "keys", "mark", "button",
         "tab", "summary", "download", "file")  # fmt: skip
"""Sliders before choices: a choice may be of something that no slider moves."""
CHOICES = ("radio", "button", "tab", "checkbox")


KEYS = {
    "range": ("ArrowRight", "ArrowLeft", "End", "Home"),
    "number": ("ArrowUp", "ArrowDown"),
    "select": ("ArrowDown", "ArrowUp"),
    "radio": ("ArrowRight", "ArrowLeft"),
    "tab": ("ArrowRight", "ArrowLeft"),
    "checkbox": ("Space",),
    "button": ("Space", "Enter"),
    "summary": ("Enter",),
    "download": ("Enter",),
    "mark": (),  # sliders do the same
    "file": (),  # the browser's own dialogue, which no page can open
}
ARROWS = ("ArrowRight", "ArrowLeft", "ArrowDown", "ArrowUp", "Space", "Shift+ArrowRight")


@dataclass(frozen=True)
class Excuse:
    """A control that changes nothing by itself, and why.

    Attributes:
        explorer: selector of the explorer's root.
        control: regular expression of "kind group key name".
        reason: why, for the reader of this list.
    """

    explorer: str
    control: str
    reason: str


EXCUSES = (
    Excuse(".vx", r"^\w+ Dragging moves", "says what a drag will move; the drag is tested"),
    Excuse(".vx-face-explorer", r"^select Any of the 52", "says what the slider beside it moves"),
    Excuse(".vx-judge", r"^\w+ Brush", "says how the next stroke will paint"),
    Excuse(".vx-quiz", r"^(radio|checkbox)", "an answer is judged when Check is pressed"),
)


@dataclass(frozen=True)
class Control:
    """One control as the page describes it (`controls` of walk.js)."""

    id: str
    kind: str
    name: str
    key: str
    group: str
    sign: str
    disabled: bool
    chosen: bool

    def __str__(self) -> str:
        return " ".join(filter(None, (self.kind, self.group, self.key, f"“{self.name}”")))


@dataclass
class Walk:
    """What a walk met.

    Attributes:
        moved: controls that changed what is shown.
        excused: controls that need not.
        faults: one sentence each.
    """

    moved: list[str] = field(default_factory=list)
    excused: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


class Hand:
    """Moves controls as mouse (or finger) does. `ways(kind)` are tried until one is answered."""

    def __init__(self, page: Page, files: tuple[Path, Path], touch: bool = False):
        self.page = page
        self.files = files
        self.touch = touch

    def ways(self, control: Control) -> list[Callable[[ElementHandle], None]]:
        places = {
            "range": (0.86, 0.14, 0.5),
            "drag": ((0.5, 0.5, 0.72, 0.42), (0.3, 0.7, 0.1, 0.5)),
        }
        if control.kind == "range":
            return [lambda e, x=x: self._press(e, x) for x in places["range"]]
        if control.kind == "drag":
            return [lambda e, way=way: self._drag(e, *way) for way in places["drag"]]
        if control.kind == "select":
            return [lambda e: _other_option(e)]
        if control.kind in ("number", "text", "search"):
            return [lambda e, share=share: _fill(e, share) for share in (0.8, 0.3)]
        if control.kind == "file":
            return [lambda e: e.set_input_files(self.files[0])]
        if control.kind == "mark":
            return [self._hit]
        if control.kind == "keys":
            return []  # for the keyboard alone
        return [lambda e: self._press(e)]

    def _press(self, element: ElementHandle, x: float = 0.5) -> None:
        element.scroll_into_view_if_needed(timeout=5_000)
        box = element.bounding_box() or {"width": 2, "height": 2}
        place = {"x": x * box["width"], "y": box["height"] / 2}
        press = element.tap if self.touch else element.click
        press(position=place, timeout=8_000)

    def _hit(self, element: ElementHandle) -> None:
        element.scroll_into_view_if_needed(timeout=5_000)
        place = element.evaluate("e => walk.pointOn(e)")
        if place is None:
            raise PlaywrightError("something else lies over all of it")
        (self.page.touchscreen.tap if self.touch else self.page.mouse.click)(*place)

    def _drag(self, element: ElementHandle, x: float, y: float, to_x: float, to_y: float) -> None:
        element.scroll_into_view_if_needed(timeout=5_000)
        box = element.bounding_box()
        at = [(box["x"] + a * box["width"], box["y"] + b * box["height"])
              for a, b in ((x, y), (to_x, to_y))]  # fmt: skip
        self.page.mouse.move(*at[0])
        self.page.mouse.down()
        self.page.mouse.move(*at[1], steps=4)
        self.page.mouse.up()


class Keys:
    """Moves controls by the keyboard alone; the focus is where Tab has brought it."""

    def __init__(self, page: Page):
        self.page = page

    def ways(self, control: Control) -> list[Callable[[ElementHandle], None]]:
        return [lambda e, key=key: self._press(e, key)
                for key in KEYS.get(control.kind, ARROWS)]  # fmt: skip

    def _press(self, element: ElementHandle, key: str) -> None:
        element.focus()
        self.page.keyboard.press(key)


def _reason(error: PlaywrightError) -> str:
    """What playwright says went wrong, with the last thing that it tried."""
    lines = [line.strip(" -") for line in error.message.splitlines() if line.strip()]
    covered = [line for line in lines if "intercepts pointer events" in line]
    return " ".join([lines[0], *covered[:1]])[:300]


def _other_option(element: ElementHandle) -> None:
    """Choose the option after the chosen one."""
    count, now = element.evaluate("e => [e.options.length, e.selectedIndex]")
    element.select_option(index=(now + 1) % count)


def _fill(element: ElementHandle, share: float) -> None:
    """Write a number at a share of the way from the least to the most, or a word."""
    low, high, kind = element.evaluate("e => [Number(e.min || 0), Number(e.max || 100), e.type]")
    number = kind == "number"
    element.fill(str(round(low + share * (high - low))) if number else f"word {share}")
    element.press("Enter")


def write_files(folder: Path) -> tuple[Path, Path]:
    """A photograph with a face, and a file that is no picture though it says so."""
    good, bad = folder / "someone.png", folder / "broken.png"
    face = skimage.data.astronaut()[:320, 60:380, ::-1]  # other colours than the book's own
    Image.fromarray(np.ascontiguousarray(face)).save(good)
    bad.write_bytes(b"this is no picture")
    return good, bad


def find_explorers(page: Page) -> list[Locator]:
    """Every explorer of the page, once its widgets are there."""
    page.wait_for_function(
        "count => document.querySelectorAll('.vx').length >= count",
        arg=page.evaluate(EXPECTED),
        timeout=ALIVE,
    )
    return page.locator(".vx").all()


def wake(root: Locator) -> ElementHandle:
    """Scroll to an explorer and wait until it answers."""
    root.scroll_into_view_if_needed()
    element = root.element_handle()
    element.wait_for_element_state("visible")
    root.page.wait_for_function("e => e.matches('[data-ready]')", arg=element, timeout=ALIVE)
    root.page.evaluate(SCRIPT)
    return element


def walk_through(root: ElementHandle, hand: Hand | Keys, *, thrifty: bool = False) -> Walk:
    """Move every control of an explorer that is alive.

    Args:
        root: the explorer's root, after `wake`.
        hand: what moves the controls.
        thrifty: of the pictures, buttons or sliders of a group move two, and wait less before each.

    Returns:
        What was met. A control that never changed anything is a fault, and so is one that was
        never enabled, a word of error, and an explorer that never comes to rest.
    """
    return _Walker(root, hand, thrifty).walk()


def tab_through(root: ElementHandle) -> list[str]:
    """Go through an explorer by Tab.

    Args:
        root: the explorer's root, after `wake`.

    Returns:
        A sentence for each control that Tab does not come to, that does not show that it has the
        focus, or that keeps it.
    """
    page = root.owner_frame().page
    before, after = page.evaluate_handle("root => walk.fence(root)", root).get_properties().values()
    wanted = page.evaluate("root => walk.wanted(root)", root)
    before.as_element().focus()
    faults, reached, last = [], set(), None
    for _ in range(len(wanted) + 10):
        page.keyboard.press("Tab")
        now = page.evaluate("root => walk.focused(root)", root)
        if (
            last
            and page.evaluate("([root, id]) => walk.lookOf(root, id)", [root, last["id"]])
            == last["look"]
        ):
            faults.append(f"{last['name']} does not show that it has the focus")
        if now is None:
            break
        reached.add(now["as"])
        last = now
    else:
        faults.append(f"{last['name']} keeps the focus")
    if now is None and not after.evaluate("e => e === document.activeElement"):
        faults.append(f"after {last['name'] if last else 'nothing'} the focus is lost")
    faults += [f"{one['name']} is not reached by Tab" for one in wanted if one["as"] not in reached]
    return list(dict.fromkeys(faults))


class _Walker:
    def __init__(self, root: ElementHandle, hand: Hand | Keys, thrifty: bool):
        self.root = root
        self.page = root.owner_frame().page
        self.hand = hand
        self.thrifty = thrifty
        self.calm = 120 if thrifty else 300  # ms without a change; explorers settle in 250
        self.done: set[str] = set()
        self.answered: set[str] = set()
        self.shares: Counter[tuple[str, str]] = Counter()  # of a choice, how many were moved
        self.found = Walk()

    def walk(self) -> Walk:
        deaf = self._round()
        for _ in range(2):  # what did not answer may have waited for what was moved after it
            deaf = self._again(deaf) if deaf else {}
        deaf = {
            sign: control for sign, control in deaf.items() if not self._answers_somewhere(control)
        }
        self.found.faults += [f"{control} changes nothing" for control in deaf.values()]
        never = [
            c
            for c in self._controls()
            if c.disabled and c.sign not in self.done and not self._spared(c)
        ]
        self.found.faults += [f"{c} is never enabled" for c in never if not self._excuse(c)]
        return self.found

    def _again(self, deaf: dict[str, Control]) -> dict[str, Control]:
        """Try controls once more, on every tab and with the sliders moved; returns the deaf."""
        self.done -= set(deaf)
        self.shares -= Counter((c.kind, c.group) for c in deaf.values())
        for tab in (None, *(c for c in self._controls() if c.kind == "tab")):
            if tab and self._now(tab):
                self._move(self._now(tab), 0)
            self._stir()
            self._round()
        return {sign: control for sign, control in deaf.items() if sign not in self.answered}

    def _round(self) -> dict[str, Control]:
        """Move what was not moved yet; returns the controls that nothing answered."""
        deaf = {}
        while control := self._next():
            self.done.add(control.sign)
            self.shares[control.kind, control.group] += 1
            if len(self.done) > MOST_CONTROLS:
                self.found.faults.append(f"there is no end of controls, the last being {control}")
                break
            if self._excuse(control):
                self._move(control, 0)
                self.found.excused.append(str(control))
            elif self._move(control):
                self.found.moved.append(str(control))
                self.answered.add(control.sign)
            else:
                deaf[control.sign] = control
        return deaf

    def _spared(self, control: Control) -> bool:
        """Whether enough controls of this one’s group were moved."""
        several = control.kind in ("radio", "button", "range") and control.group
        return bool(self.thrifty and several and self.shares[control.kind, control.group] >= 2)

    def _answers_somewhere(self, control: Control) -> bool:
        """Whether a control does something after one of the explorer's choices was made."""
        for choice in sorted(self._controls(), key=lambda c: self._excuse(c) is None):
            here = self._now(choice)
            if choice.kind not in CHOICES or here is None or choice.sign == control.sign:
                continue
            self._move(here, 0 if self._excuse(here) else SOON)
            self._stir()
            again = self._now(control)
            if again and self._move(again):
                self.found.moved.append(str(control))
                return True
        return False

    def _stir(self) -> None:
        """Move all sliders and what can be dragged, as a reader who plays does."""
        self._ask("walk.stir(root)")
        for control in self._controls():
            if control.kind in ("drag", "keys") and not control.disabled:
                element = self.root.query_selector(f'[data-walk="{control.id}"]')
                for way in self.hand.ways(control):
                    with suppress(PlaywrightError):  # a drag that fails is a fault elsewhere
                        way(element)

    def _now(self, control: Control) -> Control | None:
        """The same control as it is now; None if it cannot be seen or moved."""
        same = [c for c in self._controls() if c.sign == control.sign and not c.disabled]
        return same[0] if same else None

    def _next(self) -> Control | None:
        """The next control; of a choice, what is chosen already comes last."""
        waiting = [c for c in self._controls() if not c.disabled and c.sign not in self.done]
        waiting = [c for c in waiting if self.hand.ways(c) and not self._spared(c)]
        return min(waiting, key=lambda c: (ORDER.index(c.kind), c.chosen), default=None)

    def _move(self, control: Control, patience: int | None = None) -> bool:
        if control.chosen and control.kind in ("radio", "button"):
            self._choose_another(control)
        element = self.root.query_selector(f'[data-walk="{control.id}"]')
        patience = SOON if patience is None else patience
        before = self._rest(element) if patience else 0
        for way in self.hand.ways(control):
            try:
                if control.kind == "download":
                    return self._take(element, way)
                way(element)
            except PlaywrightError as error:
                self.found.faults.append(f"{control} cannot be moved: {_reason(error)}")
                return True
            if self._ask(
                "walk.changed(root, more[0], more[1], more[2])", element, before, patience
            ):
                self._look_for_errors(control)
                if control.kind == "file":
                    self._refuse(control, element)
                return True
        return patience > 0 and self._answers_in_sight(element, before, patience)

    def _choose_another(self, control: Control) -> None:
        """What is chosen already changes nothing when it is chosen again."""
        for other in self._controls():
            same = (other.kind, other.group) == (control.kind, control.group)
            if same and not other.chosen and not other.disabled and self.hand.ways(other):
                element = self.root.query_selector(f'[data-walk="{other.id}"]')
                with suppress(PlaywrightError):
                    self.hand.ways(other)[0](element)
                return

    def _answers_in_sight(self, element: ElementHandle, before: int, patience: int) -> bool:
        """Scroll back to the picture, as on a telephone: some are drawn only while they show."""
        self.root.evaluate("e => e.querySelector('canvas')?.scrollIntoView({ block: 'center' })")
        return self._ask("walk.changed(root, more[0], more[1], more[2])", element, before, patience)

    def _take(self, element: ElementHandle, way: Callable[[ElementHandle], None]) -> bool:
        with self.page.expect_download(timeout=LATE) as taken:
            way(element)
        return taken.value.path().stat().st_size > 0

    def _refuse(self, control: Control, element: ElementHandle) -> None:
        """A file that is no picture must be answered with a sentence."""
        self._rest(element)
        element.set_input_files(self.hand.files[1])
        try:
            self.page.wait_for_function(
                "root => root.querySelector('.vx-status.vx-wrong')?.textContent.length > 10",
                arg=self.root, timeout=LATE,
            )  # fmt: skip
        except PlaywrightError:
            self.found.faults.append(f"{control} takes a broken file without a word")
        element.set_input_files(self.hand.files[0])
        self._rest(element)

    def _look_for_errors(self, control: Control) -> None:
        wrong = self.root.query_selector(".vx-status.vx-wrong")
        if wrong and wrong.is_visible() and wrong.inner_text().strip():
            self.found.faults.append(f"{control} ends in “{wrong.inner_text().strip()}”")

    def _rest(self, element: ElementHandle | None) -> int:
        """Wait until nothing changes; what plays by itself is stopped. Returns the fingerprint."""
        for most in (PLAYS, LATE, ALIVE):
            found = self._ask(
                "walk.rest(root, more[0], more[1], more[2])", element, self.calm, most
            )
            if found is not None:
                return found
            self._stop_motion()
        self.found.faults.append("it never comes to rest")
        return 0

    def _stop_motion(self) -> None:
        """Press the button that offers to end what plays, if there is one."""
        for button in self.root.query_selector_all("button"):
            if re.search(r"stop|pause", button.inner_text(), re.IGNORECASE):
                button.dispatch_event("click")
                return

    def _excuse(self, control: Control) -> Excuse | None:
        text = " ".join((control.kind, control.group, control.key, control.name))
        for excuse in EXCUSES:
            here = self.root.evaluate("(e, kind) => e.matches(kind)", excuse.explorer)
            if here and re.search(excuse.control, text):
                return excuse
        return None

    def _controls(self) -> list[Control]:
        return [Control(**one) for one in self._ask("walk.controls(root)")]

    def _ask(self, expression: str, *more: object) -> object:
        return self.page.evaluate(f"([root, ...more]) => {expression}", [self.root, *more])
