"""Log lines without secrets: also those of libraries, which may tell what they were given."""

from __future__ import annotations

import logging
import traceback

from ..actions.vault import Vault


class Masking(logging.Filter):
    """Lets every line through, with the secrets that ``vault`` has given out blanked out."""

    def __init__(self, vault: Vault) -> None:
        super().__init__()
        self.vault = vault

    def filter(self, record: logging.LogRecord) -> bool:
        if self.vault.known:
            text = record.getMessage()
            if record.exc_info and record.exc_info[1] is not None:
                text += "\n" + "".join(traceback.format_exception(record.exc_info[1])).rstrip()
                record.exc_info = record.exc_text = None
            record.msg, record.args = self.vault.mask(text), None
        return True


def mask_logs(vault: Vault) -> None:
    """Has every handler of this process mask what ``vault`` has given out."""
    for handler in logging.getLogger().handlers:
        handler.addFilter(Masking(vault))
