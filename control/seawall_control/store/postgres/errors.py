"""What an error of the database means for a change or a question."""

from __future__ import annotations

from typing import Final

import asyncpg
from asyncpg import exceptions as pg

from seawall_control.domain.errors import (
    ControlError,
    InvalidRequest,
    StoreBusy,
    StoreFull,
    StoreUnavailable,
)
from seawall_control.store.intake_sql import Mistaken

_LOST: Final = (
    OSError,  # refused, reset, timed out, no such host
    EOFError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    pg.OperatorInterventionError,
    pg.IdleInTransactionSessionTimeoutError,
    pg.ReadOnlySQLTransactionError,  # this server became a standby; the primary is elsewhere
)
_AGAIN: Final = (pg.SerializationError, pg.DeadlockDetectedError)
_WHOLE: Final = (
    *_AGAIN,
    pg.InsufficientResourcesError,
    pg.LockNotAvailableError,
    pg.QueryCanceledError,
    pg.PostgresSystemError,
    pg.DataCorruptedError,
    pg.IndexCorruptedError,
)


def is_lost(error: BaseException) -> bool:
    """Tell whether the connection is of no use any more."""
    if isinstance(error, pg.QueryCanceledError) or is_bad_value(error):
        return False
    return isinstance(error, _LOST)


def is_bad_value(error: BaseException) -> bool:
    """Tell whether a value is one that the database cannot hold, by the server's word or by the driver's,
    whose own class of this has no name outside it.
    """
    if isinstance(error, pg.CharacterNotInRepertoireError | pg.UntranslatableCharacterError):
        return True
    return isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError)


def wants_care(error: BaseException) -> bool:
    """Tell whether a change may go through when nothing is taken for granted: a row is there already, or is
    not what it was taken to be.
    """
    return isinstance(error, pg.UniqueViolationError | Mistaken)


def is_worth_repeating(error: BaseException) -> bool:
    """Tell whether the same transaction may go through the next time."""
    return isinstance(error, _AGAIN)


def ends_group(error: BaseException) -> bool:
    """Tell whether an error concerns the database rather than one change."""
    return is_lost(error) or isinstance(error, _WHOLE)


def of_change(error: BaseException) -> BaseException:
    """Return what the caller of one change is told, where only that change failed."""
    if is_bad_value(error):
        return InvalidRequest("text with a zero character, or a number too large, cannot be stored")
    return error


def of_group(error: BaseException) -> ControlError:
    """Return what the callers of a group that failed are told. Nothing of it was stored."""
    if isinstance(error, ControlError):
        return error
    if isinstance(error, pg.DiskFullError):
        return StoreFull("the database's disk is full; nothing of this request was stored")
    if isinstance(error, pg.LockNotAvailableError):
        return StoreUnavailable("another control plane has held the lock for changes for too long")
    if isinstance(error, pg.QueryCanceledError):
        return StoreUnavailable("the database took too long over a change; nothing of it was stored")
    if is_lost(error):
        return StoreUnavailable(f"the connection to the database is lost ({said(error)})")
    return StoreUnavailable(f"the database failed: {said(error)}")


def of_question(error: BaseException, limit_s: float) -> ControlError:
    """Return what the caller of a question is told."""
    if isinstance(error, ControlError):
        return error
    if isinstance(error, pg.QueryCanceledError):
        return StoreBusy(
            f"the query took more than {limit_s:g} s; narrow the filter, for example by timestamp"
        )
    if is_bad_value(error):
        return InvalidRequest("text with a zero character, or a number too large, is nowhere in the store")
    return StoreUnavailable(f"the store cannot be read: {said(error)}")


def said(error: BaseException) -> str:
    """Return the error in a few words; never a password, which errors of the driver do not carry."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:300]
