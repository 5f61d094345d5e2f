"""llama.cpp without its log: importing this sets it up. What goes wrong is still told, on standard error."""

import sys

import llama_cpp

ERROR = 4  # GGML_LOG_LEVEL_ERROR


@llama_cpp.llama_log_callback
def tell_errors(level, text, _):
    if level == ERROR:
        sys.stderr.write(text.decode(errors="replace"))


llama_cpp.llama_log_set(tell_errors, None)
