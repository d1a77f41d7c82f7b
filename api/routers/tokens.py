"""Tokens for pages of other sites, and the script of the widget that uses them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import OperationalError

from api import access, examples
from api.dependencies import require_json
from api.errors import BankNotFoundError, BodyTooLargeError, BodyTooSlowError, MalformedBodyError, UnsupportedMediaTypeError
from api.keys import Scope
from api.pages.rendering import STATIC
from api.problems import responses
from api.providers import TokensDep
from api.tokens import NewToken, Token
from grader import ItemNotFoundError

_BODY_REFUSALS = (MalformedBodyError, BodyTooLargeError, BodyTooSlowError, UnsupportedMediaTypeError, RequestValidationError)
_WIDGET_HEADERS = {
    # A page of another site may load a module only where every origin may read it.
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Cache-Control": "public, max-age=300",
}

router = APIRouter(tags=["tokens"])


# A repeated request is not answered again from what is kept: a token is a secret, and a second one does no harm.
@router.post(
    "/v1/tokens",
    dependencies=[Depends(access.requires(Scope.GRADE)), Depends(access.limit_rate), Depends(require_json)],
    responses=responses(*access.REFUSALS, *_BODY_REFUSALS, BankNotFoundError, ItemNotFoundError, OperationalError, Exception),
)
def create_token(wanted: Annotated[NewToken, Body(openapi_examples=examples.NEW_TOKENS)], tokens: TokensDep) -> Token:
    """Make a token with which a page of another site may have answers to a few items graded for some minutes, and nothing else.

    It ends with the key that made it.
    """
    return tokens.create(wanted)


@router.get("/widget.js", include_in_schema=False)
async def read_widget(request: Request) -> Response:
    """Send the script of the widget."""
    response = await STATIC.get_response("widget.js", request.scope)
    response.headers.update(_WIDGET_HEADERS)
    return response
