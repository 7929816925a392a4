"""Debian's Chromium as playwright starts it, for tests and pictures: quiet, without a sandbox of its own."""

CHROMIUM = "/usr/bin/chromium"
SWITCHES = (
    "--no-sandbox",  # containers have no user namespaces to make one with
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Each sandboxed frame would get a process of its own: a second wall that tests must not lean on, and slow.
    "--disable-features=IsolateSandboxedIframes",
)
