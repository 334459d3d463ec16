"""Virtual machines in which xdplab runs on other kernels and on emulated cards."""
