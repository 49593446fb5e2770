"""Recurrent layers as explicit operators of TFLite, written into the flatbuffer of a network.

A *cell* is one recurrent layer: products of 8-bit matrices with 16-bit results (FULLY_CONNECTED,
uint8 to int16), gates in 16 bits, and its state as inputs and outputs of the network.
"""
