"""Signals as a terminal has them, whatever started the tests: what tests start inherits which are ignored."""

import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's, for what it starts in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # nohup's
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
