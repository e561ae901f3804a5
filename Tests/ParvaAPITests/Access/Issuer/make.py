"""Makes tokens.json (`make.py > tokens.json`): keys of an issuer and tokens of it, good and bad, each with what is to
become of it. Needs PyPI's cryptography; the private keys are new with every run and kept nowhere."""

import base64
import hashlib
import hmac
import json

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

NOW = 1_800_000_000
ISSUER = "https://issuer.example"
GOOD = {"iss": ISSUER, "sub": "ada", "aud": "parva", "exp": NOW + 600, "iat": NOW, "groups": ["staff", "gpu"]}


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, length=None):
    return b64(value.to_bytes(length or (value.bit_length() + 7) // 8, "big"))


def text(value):
    return value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()


def rsa_key(bits):
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def jwk(key, kid, **more):
    public = key.public_key()
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = public.public_numbers()
        members = {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        numbers = public.public_numbers()
        length = (key.curve.key_size + 7) // 8
        name = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}[key.curve.name]
        members = {"kty": "EC", "crv": name, "x": number(numbers.x, length), "y": number(numbers.y, length)}
    else:
        raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        members = {"kty": "OKP", "crv": "Ed25519", "x": b64(raw)}
    return {**members, **({"kid": kid} if kid else {}), **more}


def sign(key, algorithm, data, salt=None):
    digest = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}.get(algorithm[2:])
    if algorithm.startswith("RS"):
        return key.sign(data, padding.PKCS1v15(), digest)
    if algorithm.startswith("PS"):
        return key.sign(data, padding.PSS(padding.MGF1(digest), digest.digest_size if salt is None else salt), digest)
    if algorithm.startswith("ES"):
        length = (key.curve.key_size + 7) // 8
        r, s = utils.decode_dss_signature(key.sign(data, ec.ECDSA(digest)))
        return r.to_bytes(length, "big") + s.to_bytes(length, "big")
    return key.sign(data)


KEYS = {
    "rsa": rsa_key(2048), "rsa-ps": rsa_key(2048), "p256": ec.generate_private_key(ec.SECP256R1()),
    "p384": ec.generate_private_key(ec.SECP384R1()), "p521": ec.generate_private_key(ec.SECP521R1()),
    "ed": ed25519.Ed25519PrivateKey.generate(), "short": rsa_key(1024), "enc": rsa_key(2048), "next": rsa_key(2048),
    "stranger": rsa_key(2048),
}
PUBLISHED = [
    jwk(KEYS["rsa"], "rsa", use="sig"), jwk(KEYS["rsa-ps"], "rsa-ps", alg="PS256"), jwk(KEYS["p256"], "p256", alg="ES256"),
    jwk(KEYS["p384"], "p384"), jwk(KEYS["p521"], "p521"), jwk(KEYS["ed"], "ed", alg="EdDSA", key_ops=["verify"]),
    jwk(KEYS["short"], "short"), jwk(KEYS["enc"], "enc", use="enc"), {"kty": "oct", "kid": "oct", "k": b64(b"k" * 32)},
    {"kty": "EC", "crv": "P-256", "kid": "off-curve", "x": b64(b"\1" * 32), "y": b64(b"\1" * 32)},
]


def token(claims=GOOD, algorithm="RS256", key="rsa", kid="", header=None, signature=None, salt=None):
    head = {"alg": algorithm, "typ": "JWT", "kid": kid or key, **(header or {})}
    head = {name: value for name, value in head.items() if value is not None}
    data = f"{b64(text(head))}.{b64(text(claims))}".encode()
    made = sign(KEYS[key], algorithm, data, salt) if signature is None else signature(data)
    return f"{data.decode()}.{b64(made)}"


def mac(secret):
    return lambda data: hmac.new(secret, data, hashlib.sha256).digest()


def changed(**members):
    return {name: value for name, value in {**GOOD, **members}.items() if value is not None}


def der(data):
    return KEYS["p256"].sign(data, ec.ECDSA(hashes.SHA256()))


PEM = KEYS["rsa"].public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
MODULUS = KEYS["rsa"].public_key().public_numbers().n.to_bytes(256, "big")
GOOD_TOKEN = token()
OK = "ada"
CASES = [
    *((f"{name} counts", token(algorithm=name, key=key), OK) for name, key in [
        ("RS256", "rsa"), ("RS384", "rsa"), ("RS512", "rsa"), ("PS256", "rsa-ps"), ("PS384", "rsa"), ("PS512", "rsa"),
        ("ES256", "p256"), ("ES384", "p384"), ("ES512", "p521"), ("EdDSA", "ed")]),
    ("one audience of several is ours", token(changed(aud=["other", "parva"])), OK),
    ("no typ", token(header={"typ": None}), OK),
    ("an access token by RFC 9068", token(header={"typ": "at+JWT"}), OK),
    ("no kid where one key fits", token(algorithm="ES384", key="p384", header={"kid": None}), OK),
    ("it ran out within the skew", token(changed(exp=NOW - 59)), OK),
    ("it begins within the skew", token(changed(nbf=NOW + 60)), OK),
    ("fractions of a second", token(changed(exp=NOW + 0.5)), OK),
    ("no kid where several keys fit", token(algorithm="PS256", header={"kid": None}), "token_key_unknown"),
    ("another audience", token(changed(aud="other")), "token_audience_invalid"),
    ("other audiences", token(changed(aud=["parvo", "PARVA"])), "token_audience_invalid"),
    ("no audience", token(changed(aud=None)), "token_audience_invalid"),
    ("an audience that is a number", token(changed(aud=7)), "token_audience_invalid"),
    ("another issuer", token(changed(iss="https://other.example")), "token_issuer_invalid"),
    ("an issuer with a slash more", token(changed(iss=ISSUER + "/")), "token_issuer_invalid"),
    ("no issuer", token(changed(iss=None)), "token_issuer_invalid"),
    ("it has run out", token(changed(exp=NOW - 60)), "token_expired"),
    ("it ran out at the beginning of time", token(changed(exp=0)), "token_expired"),
    ("it does not begin yet", token(changed(nbf=NOW + 61)), "token_not_yet_valid"),
    ("it is made in the future", token(changed(iat=NOW + 61)), "token_not_yet_valid"),
    ("no end", token(changed(exp=None)), "token_claims_invalid"),
    ("an end as text", token(changed(exp=str(NOW + 600))), "token_claims_invalid"),
    ("an end after all time", token(changed(exp=1e300)), "token_claims_invalid"),
    ("a beginning as text", token(changed(nbf="soon")), "token_claims_invalid"),
    ("a negative time", token(changed(iat=-1)), "token_claims_invalid"),
    ("no subject", token(changed(sub=None)), "token_claims_invalid"),
    ("an empty subject", token(changed(sub="")), "token_claims_invalid"),
    ("a subject with a line break", token(changed(sub="ada\nadmin")), "token_claims_invalid"),
    ("a subject of 256 characters", token(changed(sub="a" * 256)), "token_claims_invalid"),
    ("no group that is good for something", token(changed(groups=["staff"])), "token_role_missing"),
    ("an unknown key", token(kid="nobody"), "token_key_unknown"),
    ("a key that the token brings along", token(key="stranger", header={"jwk": jwk(KEYS["stranger"], "stranger")}),
     "token_key_unknown"),
    ("an address of keys that the token brings along", token(key="stranger", header={"jku": "https://evil.example"}),
     "token_key_unknown"),
    ("a stranger's signature under a known key's name", token(key="stranger", kid="rsa"), "token_signature_invalid"),
    ("a key that is too short", token(key="short"), "token_key_unknown"),
    ("a key for encryption", token(key="enc"), "token_key_unknown"),
    ("alg none, unsigned", token(algorithm="none", signature=lambda _: b""), "token_malformed"),
    ("alg none, with a signature", token(algorithm="none", signature=mac(b"k")), "token_algorithm_refused"),
    ("alg nOnE", token(algorithm="nOnE", signature=mac(b"k")), "token_algorithm_refused"),
    ("HMAC by the public key as PEM", token(algorithm="HS256", signature=mac(PEM)), "token_algorithm_refused"),
    ("HMAC by the public modulus", token(algorithm="HS256", signature=mac(MODULUS)), "token_algorithm_refused"),
    ("HMAC by a published secret", token(algorithm="HS256", kid="oct", signature=mac(b"k" * 32)), "token_algorithm_refused"),
    ("an algorithm in lower case", token(header={"alg": "rs256"}), "token_algorithm_refused"),
    ("another algorithm than its key's", token(algorithm="RS256", key="rsa-ps"), "token_algorithm_refused"),
    ("RSA under the name of a curve's key", token(kid="p256"), "token_algorithm_refused"),
    ("ES384 under the name of P-256", token(algorithm="ES384", key="p384", kid="p256"), "token_algorithm_refused"),
    ("PKCS#1 padding said to be PSS", token(header={"alg": "PS256"}), "token_signature_invalid"),
    ("PSS with a salt of another length", token(algorithm="PS256", key="rsa-ps", salt=20), "token_signature_invalid"),
    ("RS384 said to be RS256", token(algorithm="RS384", header={"alg": "RS256"}), "token_signature_invalid"),
    ("ECDSA as DER", token(algorithm="ES256", key="p256", signature=der), "token_signature_invalid"),
    ("ECDSA of zeros", token(algorithm="ES256", key="p256", signature=lambda _: bytes(64)), "token_signature_invalid"),
    ("EdDSA of zeros", token(algorithm="EdDSA", key="ed", signature=lambda _: bytes(64)), "token_signature_invalid"),
    ("RSA of zeros", token(signature=lambda _: bytes(256)), "token_signature_invalid"),
    ("a point off its curve", token(algorithm="ES256", key="p256", kid="off-curve"), "token_key_unknown"),
    ("a critical extension", token(header={"crit": ["b64"], "b64": True}), "token_malformed"),
    ("a logout token", token(header={"typ": "logout+jwt"}), "token_malformed"),
    ("a kid that is a number", token(header={"kid": 7}), "token_malformed"),
    ("a payload that is a list", token(claims=[GOOD]), "token_malformed"),
    ("a payload that says a claim twice", token(claims=text(GOOD)[:-1] + b',"exp":1}'), "token_malformed"),
    ("a payload that is no JSON", token(claims=b"\xff\xfe"), "token_malformed"),
    ("padding", GOOD_TOKEN + "==", "token_malformed"),
    ("two parts", GOOD_TOKEN.rsplit(".", 1)[0], "credentials_invalid"),
    ("an empty part", GOOD_TOKEN.rsplit(".", 1)[0] + ".", "token_malformed"),
    ("a token of 12 KiB and more", token(changed(more="x" * 12_000)), "token_malformed"),
]
print(json.dumps({
    "now": NOW, "issuer": ISSUER, "keys": {"keys": PUBLISHED},
    "nextKeys": {"keys": [jwk(KEYS["next"], "next"), PUBLISHED[2]]}, "nextToken": token(key="next"),
    "tokens": [{"name": name, "token": made, "answer": answer} for name, made, answer in CASES],
}, indent=1))
