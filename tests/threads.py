"""One thread a process: pytest-xdist keeps the cores busy, and there the threads of one product wait for each other.

On two busy cores, numpy's eigenvectors of a 384 x 384 matrix take 14 times the processor time with two threads.
"""

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""For the environment, before numpy and torch are imported. What tests start inherits it."""
