"""The types of arrays in signatures, by the precision of their numbers.

Shapes, units and the order of axes are said where an array is made or taken.
"""

import numpy as np
import numpy.typing as npt

#: Samples, features, masks and kernels as networks compute with them.
Float32Array = npt.NDArray[np.float32]
#: Costs, importances, scores: arithmetic that is done in full precision.
Float64Array = npt.NDArray[np.float64]
#: Real numbers of any precision.
FloatArray = npt.NDArray[np.floating]
#: Numbers of groups, units or examples, and counts.
IntArray = npt.NDArray[np.int64]
#: Weights as a flatbuffer stores them.
Int8Array = npt.NDArray[np.int8]
#: True where something is kept or chosen.
BoolArray = npt.NDArray[np.bool_]
