"""Block-sparse kernels as small dense operators over the inputs that are left."""
