#!/usr/bin/env bash
# Makes the certificates that the specs use, with the openssl command, in the folder given. What is there:
#
#   root.pem                 the authority that peers trust; other-root.pem one that they do not
#   server.pem, .key         for localhost, 127.0.0.1 and ::1, signed by an intermediate; the file holds both
#   server-rsa.pem, .key     the same with an RSA key, signed by the root itself
#   client.pem, .key         for clients only
#   stranger.pem, .key       signed by other-root.pem
#   expired.pem, early.pem   as server.pem, but of the past and of the future
#   elsewhere.pem            for elsewhere.test and part*.elsewhere.test, which counts for nobody
#   wild.pem                 for *.wild.test, with alternative names of every kind
#   values.pem               for values.test, with alternative names that are no text: LuaSec crashes
#   revoked.pem              revoked by crl.pem
#   self-signed.pem, .key    vouches for itself
#   encrypted.key            server.key, with the password "secret"
#   dh.pem                   parameters for key agreement
#   ca/                      root.pem and other-root.pem by their hashes; trusted.pem root.pem and crl.pem together
#   half-trusted.pem         root.pem and the intermediate's own list of what it has revoked: nothing
#
# Every other .pem has its key in a .key of the same name.
set -euo pipefail
mkdir -p "$1"
cd "$1"

authority() { # NAME: a configuration for `openssl ca`
    mkdir -p "$1.db"
    : >"$1.db/index.txt"
    echo "$2" >"$1.db/serial"
    echo 01 >"$1.db/crlnumber"
    cat >"$1.cnf" <<EOF
[ca]
default_ca = authority
[authority]
dir = $1.db
database = $1.db/index.txt
new_certs_dir = $1.db
serial = $1.db/serial
crlnumber = $1.db/crlnumber
certificate = $1.pem
private_key = $1.key
default_md = sha256
default_days = 30
default_crl_days = 30
unique_subject = no
policy = anything
x509_extensions = leaf
[anything]
countryName = optional
organizationName = optional
commonName = optional
[request]
distinguished_name = empty
[empty]
[root]
basicConstraints = critical, CA:true
subjectKeyIdentifier = hash
keyUsage = keyCertSign, cRLSign
[intermediate]
basicConstraints = critical, CA:true
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
keyUsage = keyCertSign, cRLSign
[leaf]
basicConstraints = CA:false
authorityKeyIdentifier = keyid
subjectAltName = DNS:localhost, IP:127.0.0.1, IP:::1
[client]
basicConstraints = CA:false
extendedKeyUsage = clientAuth
[elsewhere]
subjectAltName = DNS:elsewhere.test, DNS:part*.elsewhere.test
[wild]
subjectAltName = DNS:*.wild.test, DNS:wild.test, email:someone@wild.test, URI:https://wild.test/, IP:192.0.2.1, IP:2001:db8::1, RID:1.2.3.4, otherName:1.2.3.4.5;UTF8:other, otherName:1.2.3.4.6;INT:5, otherName:1.2.3.4.7;OCTETSTRING:octets, dirName:directory
[values]
subjectAltName = otherName:1.2.3.4.1;BOOL:true, otherName:1.2.3.4.2;NULL, otherName:1.2.3.4.3;OID:1.2.3.4, otherName:1.2.3.4.4;UTCTIME:260101000000Z
[directory]
CN = a directory
EOF
}

new_key() { # NAME [KIND]
    if [[ ${2:-ec} == rsa ]]; then
        openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$1.key"
    else
        openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key"
    fi
}

root() { # NAME COMMON_NAME SERIAL
    authority "$1" "$3"
    new_key "$1"
    openssl req -x509 -new -key "$1.key" -config "$1.cnf" -section request -extensions root -days 30 \
        -subj "/C=XX/O=Specs/CN=$2" -out "$1.pem"
}

sign() { # AUTHORITY NAME SUBJECT EXTENSIONS [OPTION...]
    openssl req -new -key "$2.key" -config "$1.cnf" -section request -subj "$3" -utf8 -out "$2.csr"
    openssl ca -batch -notext -config "$1.cnf" -extensions "$4" -in "$2.csr" -out "$2.pem" "${@:5}"
    rm "$2.csr"
}

leaf() { # AUTHORITY NAME SUBJECT EXTENSIONS [OPTION...]
    new_key "$2"
    sign "$@"
}

root root "Specs' root" 1000
root other-root "Another root" 2000

authority intermediate 3000
leaf root intermediate "/C=XX/O=Specs/CN=Specs' intermediate" intermediate

leaf intermediate server /CN=localhost leaf
cat intermediate.pem >>server.pem
new_key server-rsa rsa
sign root server-rsa /CN=localhost leaf
leaf root client "/C=XX/O=Spëcs/CN=a client" client
leaf other-root stranger /CN=localhost leaf
leaf root expired /CN=localhost leaf -startdate 20200101000000Z -enddate 20200201000000Z
leaf root early /CN=localhost leaf -startdate 20900101000000Z -enddate 20900201000000Z
leaf root elsewhere /CN=elsewhere.test elsewhere
leaf root wild /CN=wild.test wild
leaf root values /CN=values.test values
leaf root revoked /CN=localhost leaf
openssl ca -config root.cnf -revoke revoked.pem
openssl ca -config root.cnf -gencrl -out crl.pem

new_key self-signed
openssl req -x509 -new -key self-signed.key -config root.cnf -section request -extensions leaf -days 30 -subj /CN=localhost \
    -out self-signed.pem

# Once in 256 times what comes of the password "wrong" ends like something that was encrypted, and OpenSSL has another
# word for what it finds in front of that.
for attempt in {1..9}; do
    openssl pkey -in server.key -aes-256-cbc -passout pass:secret -out encrypted.key
    if [[ $(openssl pkey -in encrypted.key -passin pass:wrong -noout 2>&1) == *"bad decrypt"* ]]; then break; fi
    echo "attempt $attempt: the wrong password has led OpenSSL astray" >&2
done
openssl genpkey -genparam -algorithm DH -pkeyopt group:ffdhe2048 -out dh.pem

openssl ca -config intermediate.cnf -gencrl -out intermediate-crl.pem

cat root.pem crl.pem >trusted.pem
cat root.pem intermediate-crl.pem >half-trusted.pem
mkdir -p ca
cp root.pem other-root.pem ca
openssl rehash ca
