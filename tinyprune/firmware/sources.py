"""The files of a firmware folder, rendered from templates."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from tinyprune.artifacts.resources import NpuTarget
from tinyprune.firmware import c_text
from tinyprune.firmware.device_model import DeviceModel
from tinyprune.firmware.front_ends import FirmwareFrontEnd
from tinyprune.firmware.fvp import FvpImage, fvp_image
from tinyprune.firmware.golden import Golden

if TYPE_CHECKING:
    from jinja2 import Environment

DRIVER, TFLM = "driver", "tflm"
#: Runtime -> the files behind the name of the network, with their templates.
_NETWORK = {
    DRIVER: {"npu.h": "npu.h", "npu.c": "npu.c", "model.c": "model.c"},
    TFLM: {"npu.h": "npu.h", "npu.cc": "tflm.cc", "tflm.h": "tflm.h", "model.c": "model.c"},
}
_FIXED = ("fixed.h", "fixed.c", "spectrum.h", "spectrum.c")
_ZEPHYR = ("zephyr/module.yml", "zephyr/Kconfig", "zephyr/CMakeLists.txt")
_DRIVER_HEADER = "ethosu_driver.h"
_FVP = ("fvp/main.c", "fvp/image.ld")
_TEST = (
    "driver.h",
    "driver.c",
    "golden.h",
    "golden.c",
    "stack.h",
    "stack.c",
    "vectors.h",
    "vectors.c",
    "test.c",
)


@dataclass(frozen=True)
class Placement:
    """The memories of the arrays. Attributes: constants, arena: each in words."""

    constants: str
    arena: str


_IN_FLASH = "flash that the NPU reads"
#: Begin of the name of a memory mode of Vela's own -> where its arrays lie.
_PLACEMENTS = {
    "Shared_Sram": Placement(_IN_FLASH, "SRAM"),
    "Sram_Only": Placement("SRAM, copied there at start-up", "SRAM"),
    "Dedicated_Sram": Placement(_IN_FLASH, "DRAM"),
}
_OWN_PLACEMENT = Placement("as your memory mode says", "as your memory mode says")


@dataclass(frozen=True)
class FirmwareFacts:
    """The origin of a network in C.

    Attributes:
        name: what its functions and files begin with.
        tinyprune_version, vela_version: of the programs that made it.
        target: accelerator, system, memory mode.
        source_name: of the ``.tflite``, without its folder. source_sha256: of its content.
        compiled_sha256: of the content of what Vela made.
        runtime: "driver" or "tflm".
        operators: of TFLM, those that it has to know, as its resolver names them.
        tensor_arena_bytes: of TFLM.
    """

    name: str
    tinyprune_version: str
    vela_version: str
    target: NpuTarget
    source_name: str
    source_sha256: str
    compiled_sha256: str
    runtime: str = DRIVER
    operators: tuple[str, ...] = ()
    tensor_arena_bytes: int = 0


def render(
    facts: FirmwareFacts, model: DeviceModel, front_end: FirmwareFrontEnd, golden: Golden
) -> dict[str, str]:
    """Return the content of every file by its path in the folder."""
    context = _context(facts, model, front_end, golden)
    places = _places(facts, front_end, has_fft="fft" in context)
    context["sources"] = [place for place in places if re.fullmatch(r"src/.*\.cc?", place)]
    return {place: _rendered(template, context) for place, template in places.items()}


def _context(
    facts: FirmwareFacts, model: DeviceModel, front_end: FirmwareFrontEnd, golden: Golden
) -> dict[str, Any]:
    """Return the values that templates name."""
    return {
        "name": facts.name,
        "NAME": facts.name.upper(),
        "facts": facts,
        "model": model,
        "tables": front_end.tables(),
        "golden": golden,
        "kind": front_end.template,
        "is_fixed": front_end.is_fixed,
        "unit": front_end.unit,
        "runtime": facts.runtime,
        "fvp": _image(facts),
        "class_names": (),
        "placement": _placement(facts.target.memory_mode),
        **front_end.context(),
    }


def _placement(memory_mode: str) -> Placement:
    """Return where the arrays lie in a memory mode."""
    for begin, placement in _PLACEMENTS.items():
        if memory_mode.startswith(begin):
            return placement
    return _OWN_PLACEMENT


def _image(facts: FirmwareFacts) -> FvpImage | None:
    """Return the image for Arm's FVP; None where there is none for it."""
    return fvp_image(facts.target) if facts.runtime == DRIVER else None


def _places(facts: FirmwareFacts, front_end: FirmwareFrontEnd, has_fft: bool) -> dict[str, str]:
    """Return the template of every file."""
    name = facts.name
    kind = front_end.template
    fixed = "_fixed" if front_end.is_fixed else ""
    places = {
        f"src/{name}.h": f"{kind}.h",
        f"src/{name}.c": f"{kind}{fixed}.c",
        f"src/{name}_tables.h": "tables.h",
        f"src/{name}_tables.c": "tables.c",
    }
    for part, template in _NETWORK[facts.runtime].items():
        places[f"src/{name}_{part}"] = f"network_{template}"
    if has_fft:
        places[f"src/{name}_fft.h"] = f"network{fixed}_fft.h"
        places[f"src/{name}_fft.c"] = f"network{fixed}_fft.c"
    if fixed:
        for part in _FIXED:
            places[f"src/{name}_{part}"] = f"network_{part}"
    for part in _TEST:
        places[f"test/{part}"] = f"test/{part}"
    if facts.runtime == DRIVER:
        places[f"test/{_DRIVER_HEADER}"] = f"test/{_DRIVER_HEADER}"
    for own in ("Makefile", "README.md", *_ZEPHYR, *(_FVP if _image(facts) else ())):
        places[own] = own
    places[f"{name}.clayer.yml"] = "cmsis/network.clayer.yml"
    return places


def _rendered(template: str, context: Mapping[str, Any]) -> str:
    return _environment().get_template(template).render(context).lstrip("\n")


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("tinyprune.firmware"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters["c_bytes"] = c_text.c_bytes
    environment.filters["c_rows"] = c_text.c_rows
    environment.filters["c_text"] = c_text.c_string
    environment.filters["fnv"] = c_text.fnv
    environment.filters["comment"] = c_text.comment_text
    return environment
