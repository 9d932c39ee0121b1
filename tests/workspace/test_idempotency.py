import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from contacts.models import Contact
from crmcem.workspace.models import IdempotencyKey
from tests.conftest import Cast

Api = Callable[..., APIClient]
URL = "/api/v1/contacts/"


def post(client: APIClient, body: dict[str, Any], key: str = "k1") -> Any:
    return client.post(URL, body, format="json", headers={"Idempotency-Key": key})


@pytest.mark.django_db
def test_the_first_answer_is_replayed(cast: Cast, api: Api) -> None:
    client = api(cast.rep)
    first = post(client, {"email": "ada@customer.example"})
    again = post(client, {"email": "ada@customer.example"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert again["ETag"] == first["ETag"]
    assert again["Location"] == first["Location"] == f"http://testserver{URL}{first.json()['id']}/"
    assert client.get(first["Location"]).json() == first.json()
    assert again["Idempotent-Replayed"] == "true"
    assert Contact.objects.count() == 1


@pytest.mark.django_db
def test_another_body_under_the_same_key_is_409(cast: Cast, api: Api) -> None:
    client = api(cast.rep)
    post(client, {"email": "ada@customer.example"})
    other = post(client, {"email": "eve@customer.example"})
    assert other.status_code == 409
    assert Contact.objects.count() == 1


@pytest.mark.django_db
def test_keys_belong_to_the_token_that_sent_them(cast: Cast, api: Api) -> None:
    post(api(cast.rep), {"email": "ada@customer.example"})
    other = post(api(cast.rep2), {"email": "eve@customer.example"})
    assert other.status_code == 201
    assert "Idempotent-Replayed" not in other


@pytest.mark.django_db
def test_a_request_that_failed_leaves_its_key_free(cast: Cast, api: Api) -> None:
    client = api(cast.rep)
    assert post(client, {"email": "not an address"}).status_code == 400
    assert not IdempotencyKey.objects.exists()
    assert post(client, {"email": "ada@customer.example"}).status_code == 201


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_bad_key_is_400(cast: Cast, api: Api, key: str) -> None:
    assert post(api(cast.rep), {"email": "ada@customer.example"}, key).status_code == 400
    assert not Contact.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_twenty_at_once_make_one_record_and_one_answer(cast: Cast, token_for: Callable[..., str]) -> None:
    secret = token_for(cast.rep)
    answers: list[Any] = []
    start = threading.Barrier(20)

    def send() -> None:
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
        start.wait()
        try:
            answers.append(post(client, {"email": "ada@customer.example"}))
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {a.status_code for a in answers} == {201}
    assert len({a.content for a in answers}) == 1
    assert sum("Idempotent-Replayed" in a for a in answers) == 19
    assert Contact.objects.count() == 1
