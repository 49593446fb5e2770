"""Generated C sources: where they come from, what they take, and which files they are."""

from dataclasses import dataclass, field

from tinyprune.artifacts.resources import NpuTarget


@dataclass(frozen=True)
class FirmwareSizes:
    """Bytes that all of a firmware's code takes on a Cortex-M55, but the driver.

    Attributes:
        network_flash: commands and constants. front_end_flash: code and tables of the front end.
        glue_flash: what calls the driver. library_flash: functions of libm and libc.
        network_ram: arena and fast memory, and constants where the memory mode has them in SRAM.
        front_end_ram: buffers and state of the front end. glue_ram: states that are kept outside of
            the arena, and variables of libraries.
        stack: of a call, measured in QEMU; None where that is not there.
    """

    network_flash: int
    front_end_flash: int
    glue_flash: int
    library_flash: int
    network_ram: int
    front_end_ram: int
    glue_ram: int
    stack: int | None = None

    @property
    def flash(self) -> int:
        """All read-only bytes."""
        return self.network_flash + self.front_end_flash + self.glue_flash + self.library_flash

    @property
    def ram(self) -> int:
        """All bytes that are written, the stack of a call included where it is known."""
        return self.network_ram + self.front_end_ram + self.glue_ram + (self.stack or 0)


@dataclass(frozen=True)
class FvpCounts:
    """The golden vectors on Arm's model of a device (FVP).

    Attributes:
        calls: of the firmware. cycles, most_cycles: of the NPU in a call, the mean and the largest.
        numbers: that came out. off: those that are not what the simulated stream gave.
        is_right: whether they are few and off by no more than may be.
    """

    calls: int
    cycles: int
    most_cycles: int
    numbers: int
    off: int
    is_right: bool


@dataclass(frozen=True)
class FirmwareRecord:
    """A folder of generated sources, as ``firmware.json`` in it says.

    Attributes:
        name: what functions and files begin with.
        kind: of the front end: "speech", "keywords", "anomaly" or "numbers".
        tinyprune_version, vela_version: of the programs that made them.
        target: accelerator, system, memory mode.
        source: name of the ``.tflite``. source_sha256, compiled_sha256: of it, and of what Vela
            made of it.
        command_bytes, constant_bytes: of the network, read only.
        table_bytes: of the front end, read only.
        arena_bytes, fast_bytes: of the memory that the NPU works in; the second beside the first.
        runtime: "driver" or "tflm".
        arithmetic: of the front end, "float" or "fixed".
        tensor_arena_bytes: arena of TFLM. operators: those that TFLM has to know, as its resolver
            names them.
        sizes: bytes of everything; None where they were not measured.
        fvp: the golden vectors on Arm's model; None where they were not run there.
        files: SHA-256 of every file by its path in the folder.
        is_complete: False while the files are written.
    """

    name: str
    kind: str
    tinyprune_version: str
    vela_version: str
    target: NpuTarget
    source: str
    source_sha256: str
    compiled_sha256: str
    command_bytes: int
    constant_bytes: int
    table_bytes: int
    arena_bytes: int
    fast_bytes: int
    runtime: str = "driver"
    arithmetic: str = "float"
    tensor_arena_bytes: int = 0
    operators: tuple[str, ...] = ()
    sizes: FirmwareSizes | None = None
    fvp: FvpCounts | None = None
    files: dict[str, str] = field(default_factory=dict)
    is_complete: bool = False
