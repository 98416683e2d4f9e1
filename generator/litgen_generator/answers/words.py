"""Words that are no names: each would break, or shadow something in, a generated repository."""

KEYWORDS = frozenset(
    """
    and as assert async await break case class continue def del elif else except finally for from global
    if import in is lambda match nonlocal not or pass raise return try while with yield
    """.split()
)
"""Python's keywords and soft keywords."""

YAML_WORDS = frozenset(
    """
    false n no none null off on true y yes
    """.split()
)
"""Words that YAML 1.1 reads as a boolean or null."""

STANDARD_LIBRARY = frozenset(
    """
    abc aifc annotationlib antigravity argparse array ast asynchat asyncio asyncore atexit audioop
    base64 bdb binascii bisect builtins bz2 calendar cgi cgitb chunk cmath cmd code codecs codeop
    collections colorsys compileall compression concurrent configparser contextlib contextvars copy
    copyreg crypt csv ctypes curses dataclasses datetime dbm decimal difflib dis distutils doctest email
    encodings ensurepip enum errno faulthandler fcntl filecmp fileinput fnmatch fractions ftplib
    functools gc genericpath getopt getpass gettext glob graphlib grp gzip hashlib heapq hmac html http
    idlelib imaplib imghdr imp importlib inspect io ipaddress itertools json keyword lib2to3 linecache
    locale logging lzma mailbox mailcap marshal math mimetypes mmap modulefinder msilib msvcrt
    multiprocessing netrc nis nntplib nt ntpath nturl2path numbers opcode operator optparse os
    ossaudiodev pathlib pdb pickle pickletools pipes pkgutil platform plistlib poplib posix posixpath
    pprint profile profiling pstats pty pwd py_compile pyclbr pydoc pydoc_data pyexpat queue quopri
    random re readline reprlib resource rlcompleter runpy sched secrets select selectors shelve shlex
    shutil signal site smtpd smtplib sndhdr socket socketserver spwd sqlite3 sre_compile sre_constants
    sre_parse ssl stat statistics string stringprep struct subprocess sunau symtable sys sysconfig
    syslog tabnanny tarfile telnetlib tempfile termios textwrap this threading time timeit tkinter token
    tokenize tomllib trace traceback tracemalloc tty turtle turtledemo types typing unicodedata unittest
    urllib uu uuid venv warnings wave weakref webbrowser winreg winsound wsgiref xdrlib xml xmlrpc
    zipapp zipfile zipimport zlib zoneinfo
    """.split()
)
"""Top-level modules of Python 3.11 to 3.15; a package of that name would shadow one of them."""

INSTALLED_PACKAGES = frozenset(
    """
    accelerate aiohappyeyeballs aiohttp aiosignal annotated_doc annotated_types anyio ast_serialize attr attrs
    certifi click copier cuda datasets
    fastapi fastapi_offline filelock frozenlist fsspec functorch h11 hatchling httpcore httptools httpx idna
    iniconfig isympy jax jinja2 keras librt lightning litgen litgen_generator litgen_runtime litserve
    markupsafe mpmath multidict multipart mypy mypy_extensions mypyc networkx numpy nvidia onnx onnxruntime
    opentelemetry packaging pandas pathspec pip pkg_resources pluggy prometheus_client propcache py pydantic
    pydantic_core pydantic_settings pygments pytest python_multipart ruff scipy setuptools sklearn sniffio starlette
    sympy tensorflow tokenizers tomlkit torch torchaudio torchgen torchvision transformers triton trove_classifiers
    typing_extensions typing_inspection uv uvicorn uvloop vllm wheel yaml yarl
    """.split()
)
"""Import names a generated service installs, or its model is likely to import."""

PROJECT_FOLDERS = frozenset(
    """
    bench benchmarks build conftest deploy dist docs env examples include kubernetes lib main
    node_modules scratch scripts src static test tests var vendor venv
    """.split()
)
"""Folders and modules with a meaning of their own in a Python project."""

SKIPPED_FOLDERS = frozenset(
    """
    build dist node_modules venv
    """.split()
)
"""Endpoint names whose folder linters, packagers or git would take for something built or installed."""

COMMANDS = frozenset(
    """
    activate awk bash cat cd cp curl dmypy docker env f2py git grep isympy kubectl ls make mypyc node
    numpy_config pip3 proton proton_viewer pygmentize python python3 rm sed sh stubgen stubtest sudo
    torchfrtrace torchrun uname uvx
    """.split()
)
"""Commands that a service's own command of that name would hide."""

CLASS_NAMES = frozenset(
    """
    arithmetic_error assertion_error attribute_error base_exception base_exception_group base_model
    batch_endpoint broken_pipe_error buffer_error bytes_warning child_process_error chunk
    connection_aborted_error connection_error connection_refused_error connection_reset_error
    deprecation_warning ellipsis encoding_warning endpoint environment_error exception exception_group
    false field file_exists_error file_not_found_error floating_point_error future_warning
    generator_exit http_error i import_error import_warning indentation_error index_error
    interrupted_error iterator key_error keyboard_interrupt lookup_error memory_error
    module_not_found_error name_error none not_implemented not_implemented_error o overflow_error
    pending_deprecation_warning permission_error process_lookup_error python_finalization_error
    recursion_error reference_error request resource_warning response runtime_error runtime_warning
    stop_async_iteration stop_iteration stream_endpoint syntax_error syntax_warning system_error
    system_exit tab_error timeout_error true type_error unbound_local_error unicode_decode_error
    unicode_encode_error unicode_error unicode_translate_error unicode_warning upload user_warning
    value_error warning zero_division_error
    """.split()
)
"""Endpoint names whose class would hide a Python builtin or a name that its module imports, or read as a digit."""
