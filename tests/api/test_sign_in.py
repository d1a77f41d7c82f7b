"""A person signs in at the pages with a key: the session may do what the key may, and ends with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from api.examples import NEW_ITEMS
from api.keys import Scope, revoke_key
from api.pages.access import COOKIE
from api.storage.columns import now
from api.storage.database import Database
from api.storage.tables import Pass

MakeKey = Callable[..., dict[str, str]]
OWN = {"sec-fetch-site": "same-origin"}
ANSWER = {"candidate_answer": "Random neurons are switched off during training."}


@pytest.fixture
def key(make_key: MakeKey) -> str:
    return make_key(Scope.GRADE, Scope.READ_RESULTS)["authorization"].removeprefix("Bearer ")


@pytest.fixture
def public(service: TestClient) -> Iterator[TestClient]:
    """Return a client of the service with practice open to everyone."""
    state: Any = service.app_state
    settings = state["settings"]
    state["settings"] = settings.model_copy(update={"public_practice": True})
    yield service
    state["settings"] = settings


def sign_in(service: TestClient, key: str, following: str = "/", **headers: str) -> Any:
    form = {"key": key, "following": following}
    return service.post("/sign-in", data=form, headers={**OWN, **headers}, follow_redirects=False)


def test_whoever_signs_in_acts_for_the_keys_tenant(service: TestClient, key: str, make_key: MakeKey) -> None:
    refused = service.get("/batches?lang=de")
    assert refused.status_code == 401
    assert 'name="following" value="/batches?lang=de"' in refused.text
    response = sign_in(service, key, following="/batches?lang=de")
    assert (response.status_code, response.headers["location"]) == (303, "/batches?lang=de")
    assert service.get("/batches").status_code == 200
    job = service.post(
        "/v1/jobs?name=spring", json=[{"item_id": "dropout", **ANSWER}], headers={"authorization": f"Bearer {key}"}
    ).json()
    other = make_key(Scope.ADMIN, tenant="south")
    service.post("/v1/jobs?name=autumn", json=[{"item_id": "dropout", **ANSWER}], headers=other)
    page = service.get("/batches").text
    assert ("spring" in page, "autumn" in page, "(quiz)" in page) == (True, False, True)
    assert service.get(f"/batches/{job['id']}/results").text.startswith("item_id,candidate_answer")
    assert service.post(f"/batches/{job['id']}/cancel", headers=OWN).status_code == 200
    assert "event: job" in service.get(f"/batches/{job['id']}/events").text


def test_cookie_is_kept_from_scripts_and_other_sites(service: TestClient, key: str) -> None:
    cookie = sign_in(service, key).headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/", "Max-Age=43200"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert "; Secure" in sign_in(service, key, origin="https://grader.example").headers["set-cookie"]


def test_only_the_hash_of_a_session_is_kept(service: TestClient, key: str, database: Database) -> None:
    sign_in(service, key)
    with database.system(read_only=True) as session:
        [row] = session.scalars(select(Pass)).all()
    assert service.cookies[COOKIE] not in [str(value) for value in vars(row).values()]


@pytest.mark.parametrize("sent", ["", "x", "gk_000000000000_" + "A" * 43, "x" * 201])
def test_what_is_no_key_is_refused_with_a_sentence(service: TestClient, key: str, sent: str) -> None:
    response = sign_in(service, sent)
    assert response.status_code in (401, 422)
    assert "set-cookie" not in response.headers
    assert "This key is not valid" in response.text or len(sent) > 200
    assert key not in response.text


@pytest.mark.parametrize(
    ("referer", "following"),
    [
        ("{own}/banks/biology/new?lang=de", "/banks/biology/new?lang=de"),
        ("http://evil.example/banks/biology/new", "/"),
        ("", "/"),
    ],
)
@pytest.mark.usefixtures("key")
def test_who_sends_a_form_signed_out_comes_back_to_its_page(service: TestClient, referer: str, following: str) -> None:
    refused = service.post(
        "/banks/biology/new", headers={**OWN, "referer": referer.format(own=str(service.base_url).rstrip("/"))}
    )
    assert refused.status_code == 401
    assert f'name="following" value="{following}"' in refused.text


@pytest.mark.parametrize("following", ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "/a\r\nb", ""])
def test_signing_in_leads_to_the_services_own_pages_only(service: TestClient, key: str, following: str) -> None:
    assert sign_in(service, key, following=following).headers["location"] == "/"


def test_session_ends_with_its_key(service: TestClient, key: str, database: Database) -> None:
    sign_in(service, key)
    assert service.get("/").status_code == 200
    revoke_key(database, key.split("_")[1])
    assert service.get("/").status_code == 401
    assert sign_in(service, key).status_code == 401


def test_session_ends_in_time(service: TestClient, key: str, database: Database) -> None:
    sign_in(service, key)
    with database.system() as session:
        session.execute(update(Pass).values(expires_at=now() - timedelta(seconds=1)))
    assert service.get("/").status_code == 401


def test_signing_out_ends_the_session_wherever_it_is(service: TestClient, key: str) -> None:
    sign_in(service, key)
    secret = service.cookies[COOKIE]
    response = service.post("/sign-out", headers=OWN, follow_redirects=False)
    assert response.headers["location"] == "/sign-in"
    assert COOKIE not in service.cookies
    service.cookies.set(COOKIE, secret)
    assert service.get("/").status_code == 401


@pytest.mark.parametrize("forged", ["gs_" + "A" * 43, "gs_x", "x", "gt_" + "A" * 43])
def test_forged_session_is_none(service: TestClient, key: str, forged: str) -> None:
    service.cookies.set(COOKIE, forged)
    assert service.get("/").status_code == 401


def test_token_is_no_session_and_a_session_no_token(service: TestClient, key: str) -> None:
    sign_in(service, key)
    session = service.cookies[COOKIE]
    row = {"item_id": "dropout", **ANSWER}
    assert service.post("/v1/grades", json=row).status_code == 401
    assert service.post("/v1/grades", json=row, headers={"authorization": f"Bearer {session}"}).status_code == 401
    headers = {"authorization": f"Bearer {key}"}
    token = service.post("/v1/tokens", json={"item_ids": ["dropout"]}, headers=headers).json()["token"]
    service.cookies.set(COOKIE, token)
    service.cookies.delete(COOKIE, domain="127.0.0.1")
    assert service.get("/").status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": "http://127.0.0.1:8000"},
        {"origin": "https://evil.example"},
        {"origin": "http://127.0.0.1:8001"},
        {"origin": "null"},
        {},
    ],
)
def test_form_of_another_site_does_nothing(service: TestClient, key: str, headers: dict[str, str]) -> None:
    form = {"key": key}
    assert service.post("/sign-in", data=form, headers=headers).status_code == 403
    sign_in(service, key)
    assert service.post("/practice/dropout", data=ANSWER, headers=headers).status_code == 403
    assert service.post("/sign-out", headers=headers).status_code == 403
    assert service.get("/").status_code == 200


def test_form_of_the_page_itself_is_read_in_older_browsers_too(service: TestClient, key: str) -> None:
    sign_in(service, key)
    response = service.post("/practice/dropout", data=ANSWER, headers={"origin": "http://127.0.0.1:8000"})
    assert "data-score" in response.text


def test_key_without_the_scope_is_told_which(service: TestClient, make_key: MakeKey) -> None:
    sign_in(service, make_key(Scope.GRADE)["authorization"].removeprefix("Bearer "))
    assert service.get("/").status_code == 200
    refused = service.get("/batches")
    assert refused.status_code == 403
    assert "read_results" in refused.text


def test_guessing_keys_is_slow(service: TestClient, key: str) -> None:
    for _ in range(30):
        sign_in(service, "x")
    assert sign_in(service, key).status_code == 429


def test_without_keys_there_is_nothing_to_sign_in_to(service: TestClient) -> None:
    assert service.get("/sign-in", follow_redirects=False).headers["location"] == "/"


def test_visitors_may_practise_where_the_setting_says_so(public: TestClient, key: str) -> None:
    page = public.get("/")
    assert page.status_code == 200
    assert "/sign-in" in page.text
    assert "data-score" in public.post("/practice/dropout", data=ANSWER, headers=OWN).text
    assert public.post("/practice/dropout", data=ANSWER).status_code == 403
    assert public.get("/batches").status_code == 401
    assert public.get("/v1/items").status_code == 401


def test_own_banks_can_be_practised_by_their_owner_only(public: TestClient, make_key: MakeKey) -> None:
    owner = make_key(Scope.ADMIN, tenant="local")
    public.post("/v1/banks", json={"id": "physics", "title": "Physics at school"}, headers=owner)
    item = {**(NEW_ITEMS["item"]["value"] or {}), "id": "pull"}
    public.post("/v1/banks/physics/items", json=item, headers=owner)
    public.post("/v1/banks/physics/publish", headers=owner)
    for address in ("/?bank=physics", "/practice/pull?bank=physics", "/interview?bank=physics&count=1"):
        assert public.get(address).status_code == 404
    assert "Physics at school" not in public.get("/").text
    sign_in(public, owner["authorization"].removeprefix("Bearer "))
    assert "Physics at school" in public.get("/").text
    assert 'href="/practice/pull?bank=physics"' in public.get("/?bank=physics").text
    started = public.get("/interview?bank=physics&count=1", follow_redirects=False).headers["location"]
    assert started.startswith("/practice/pull?bank=physics&of=1")
    page = public.post(started, data=ANSWER, headers=OWN).text
    assert "data-score" in page
    assert "<details" not in page
    sign_in(public, make_key(Scope.GRADE, tenant="south")["authorization"].removeprefix("Bearer "))
    assert public.get("/?bank=physics").status_code == 404


def test_visitors_are_counted_by_their_address(public: TestClient, key: str) -> None:
    for _ in range(120):
        assert public.get("/practice/dropout").status_code == 200
    assert public.get("/practice/dropout").status_code == 429
    sign_in(public, key)
    assert public.get("/practice/dropout").status_code == 200
