"""OAuth 1.0a as Twitter documents it ("Creating a signature"): their example, two programs."""

from oauthlib.oauth1 import Client

from penstock.simulator.oauth1 import signature

URL = "https://api.twitter.com/1.1/statuses/update.json"
STATUS = "Hello Ladies + Gentlemen, a signed OAuth request!"
CONSUMER = ("xvz1evFS4wEEPTGEFPHBog", "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw")
TOKEN = (
    "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb",
    "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE",
)
NONCE, STAMP = "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg", "1318622958"
DOCUMENTED = "hCtSmYh+iHYCEqBWrE7C7hYmtUk="


def test_what_signs_our_requests_agrees_with_the_documented_example() -> None:
    client = Client(CONSUMER[0], CONSUMER[1], *TOKEN, nonce=NONCE, timestamp=STAMP)
    _, headers, _ = client.sign(
        f"{URL}?include_entities=true",
        http_method="POST",
        body={"status": STATUS},
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert 'oauth_signature="hCtSmYh%2BiHYCEqBWrE7C7hYmtUk%3D"' in headers["Authorization"]


def test_what_checks_them_in_rehearsal_agrees_as_well() -> None:
    parameters = {
        "status": STATUS,
        "include_entities": "true",
        "oauth_consumer_key": CONSUMER[0],
        "oauth_nonce": NONCE,
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_timestamp": STAMP,
        "oauth_token": TOKEN[0],
        "oauth_version": "1.0",
    }
    key = f"{CONSUMER[1]}&{TOKEN[1]}"
    assert signature("POST", URL, parameters.items(), key) == DOCUMENTED
