"""Headers with the part of TFLM's interface that generated C++ uses, for a compiler to check it."""

from pathlib import Path

_RESOLVER = """
#pragma once
enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };
namespace tflite {
template <unsigned int tOpCount> class MicroMutableOpResolver {
 public:
  TfLiteStatus AddEthosU() { return kTfLiteOk; }
  TfLiteStatus AddConv2D() { return kTfLiteOk; }
};
}
"""
_INTERPRETER = """
#pragma once
#include <cstddef>
#include <cstdint>
#include "micro_mutable_op_resolver.h"
struct TfLiteTensor { union { char *raw; } data; };
namespace tflite {
struct Model;
class MicroInterpreter {
 public:
  template <class Resolver>
  MicroInterpreter(const Model *, const Resolver &, uint8_t *, size_t) {}
  TfLiteStatus AllocateTensors() { return kTfLiteOk; }
  TfLiteStatus Invoke() { return kTfLiteOk; }
  TfLiteStatus Reset() { return kTfLiteOk; }
  TfLiteTensor *input(size_t) { return nullptr; }
  TfLiteTensor *output(size_t) { return nullptr; }
};
}
"""
_SCHEMA = """
#pragma once
namespace tflite { struct Model; inline const Model *GetModel(const void *) { return nullptr; } }
"""
_FILES = {
    "tensorflow/lite/micro/micro_mutable_op_resolver.h": _RESOLVER,
    "tensorflow/lite/micro/micro_interpreter.h": _INTERPRETER,
    "tensorflow/lite/schema/schema_generated.h": _SCHEMA,
}


def write_headers(folder: Path) -> Path:
    """Write the headers below a folder, and return it."""
    for name, text in _FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder
