"""Generated C as a library, with the driver of the NPU bound to the simulator."""

import ctypes
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tinyprune.npu.stream import payload
from tinyprune.npu.stream.memory import LUT_BYTES, Memory
from tinyprune.npu.stream.program import Program

_SHIM = """
#include "ethosu_driver.h"
typedef int (*simulator)(const void *, int, uint64_t *, const size_t *, int);
simulator simulated_npu;
struct ethosu_driver *ethosu_reserve_driver(void) { return 0; }
void ethosu_release_driver(struct ethosu_driver *driver) { (void)driver; }
int ethosu_invoke_v3(struct ethosu_driver *driver, const void *payload, const int bytes,
                     uint64_t *const addresses, const size_t *sizes, const int count, void *argument)
{
    (void)driver;
    (void)argument;
    return simulated_npu(payload, bytes, addresses, sizes, count);
}
"""
_FLAGS = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-pedantic", "-fPIC", "-shared"]
_SIMULATOR = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_int,
    ctypes.POINTER(ctypes.c_uint64),
    ctypes.POINTER(ctypes.c_size_t),
    ctypes.c_int,
)


class FirmwareInC:
    """The sources of a folder as a library; its NPU is the simulator on the memory of the library.

    Attributes:
        folder, name: of the sources.
        calls: of the driver so far.
        before_run: what is done with the arena, bytes (n,), before the stream runs.
    """

    def __init__(self, folder: Path, name: str) -> None:
        shim = folder / "test" / "shim.c"
        library = folder / f"{name}.so"
        shim.write_text(_SHIM)
        sources = sorted(map(str, (folder / "src").glob("*.c")))
        includes = [f"-I{folder / 'src'}", f"-I{folder / 'test'}"]
        command = ["gcc", *_FLAGS, *includes, *sources, str(shim), "-lm", "-o", str(library)]
        subprocess.run(command, check=True)
        self.folder = folder
        self.name = name
        self.calls = 0
        self.before_run: Callable[[np.ndarray], None] | None = None
        self.library = ctypes.CDLL(str(library))
        self._simulator = _SIMULATOR(self._invoke)
        pointer = ctypes.c_void_p.in_dll(self.library, "simulated_npu")
        pointer.value = ctypes.cast(self._simulator, ctypes.c_void_p).value
        self._program: Program | None = None

    def reset(self) -> int:
        """Forget the past."""
        return int(self.library[f"{self.name}_reset"]())

    def process(self, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> int:
        """Run the firmware once; outputs are set."""
        arrays = [*inputs, *outputs]
        pointers = [ctypes.c_void_p(array.ctypes.data) for array in arrays]
        return int(self.library[f"{self.name}_process"](*pointers))

    def _invoke(
        self, commands: int, bytes_of_commands: int, addresses: Any, sizes: Any, count: int
    ) -> int:
        """Run the stream in the memory of the library."""
        self.calls += 1
        if self._program is None:
            stream = payload.parse(ctypes.string_at(commands, bytes_of_commands))
            regions = {}
            for number in range(count):
                assert addresses[number] % 16 == 0
                view = (ctypes.c_uint8 * sizes[number]).from_address(addresses[number])
                regions[number] = np.frombuffer(view, np.uint8)
            self._program = Program(stream, Memory(regions, np.zeros(LUT_BYTES, np.uint8)))
        if self.before_run is not None:
            arena = (ctypes.c_uint8 * sizes[1]).from_address(addresses[1])
            self.before_run(np.frombuffer(arena, np.uint8))
        self._program.run()
        return 0
