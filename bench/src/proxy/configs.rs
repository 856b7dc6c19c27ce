//! The three configurations: each proxy as its own documentation would have it for tokens that must not wait.

use std::net::SocketAddr;

use super::{AUDIENCE, Setting, WORKERS};

/// nginx: keep-alive upstream, no buffering of answers, prompts in memory, a buffered access log.
pub fn nginx(setting: &Setting, address: SocketAddr) -> String {
    let Setting { certificate, token, fake, directory, .. } = setting;
    let (cert, key) = (certificate.pem.display(), certificate.key.display());
    let directory = directory.display();
    format!(
        r#"daemon off;
user root;
worker_processes {WORKERS};
worker_rlimit_nofile 20000;
pid {directory}/nginx.pid;
error_log {directory}/nginx.log warn;
events {{ worker_connections 12000; }}
http {{
  access_log {directory}/nginx-access.log combined buffer=64k flush=5s;
  client_body_temp_path {directory}; proxy_temp_path {directory}; fastcgi_temp_path {directory};
  uwsgi_temp_path {directory}; scgi_temp_path {directory};
  map_hash_bucket_size 4096;
  map $http_authorization $known {{ default 0; "Bearer {token}" 1; }}
  keepalive_timeout 330s;
  keepalive_requests 1000000000;
  client_max_body_size 32m;
  client_body_buffer_size 512k;
  upstream ollama {{
    server {fake};
    keepalive 256;
    keepalive_requests 1000000000;
    keepalive_timeout 330s;
  }}
  server {{
    listen {address} ssl http2 backlog=4096;
    ssl_certificate {cert};
    ssl_certificate_key {key};
    ssl_protocols TLSv1.3;
    ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
    ssl_ecdh_curve X25519;
    location / {{
      if ($known = 0) {{ return 401; }}
      proxy_pass http://ollama;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_read_timeout 900s;
    }}
  }}
}}
"#
    )
}

/// HAProxy: shared keep-alive connections upstream, cancels passed on.
pub fn haproxy(setting: &Setting, address: SocketAddr) -> String {
    let Setting { certificate, token, fake, .. } = setting;
    let both = certificate.both.display();
    format!(
        r#"global
  nbthread {WORKERS}
  maxconn 9000
  ssl-default-bind-options ssl-min-ver TLSv1.3
  ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256
defaults
  mode http
  option abortonclose
  option http-no-delay
  http-reuse always
  timeout connect 3s
  timeout client 900s
  timeout server 900s
  timeout http-keep-alive 330s
frontend tls
  bind {address} ssl crt {both} alpn h2,http/1.1 curves X25519 backlog 4096
  acl known req.hdr(authorization) -m str "Bearer {token}"
  http-request deny deny_status 401 unless known
  default_backend ollama
backend ollama
  server fake {fake}
"#
    )
}

/// The gateway with all its work on: tokens verified, limits counted, queue asked, log written; only the bounds are
/// so high that none is reached.
pub fn gateway(setting: &Setting, address: SocketAddr, admin: SocketAddr) -> String {
    let Setting { certificate, issuer, fake, directory, .. } = setting;
    let (cert, key) = (certificate.pem.display(), certificate.key.display());
    let directory = directory.display();
    format!(
        r#"[listen]
address = "{address}"
admin = "{admin}"
connections = 9000
cores = {WORKERS}
[tls]
certificate = "{cert}"
private_key = "{key}"
[ollama]
url = "http://{fake}"
parallel = 100000
models = ["bench-short:latest"]
[[issuers]]
issuer = "{issuer}"
kind = "oidc"
audiences = ["{AUDIENCE}"]
[roles.user]
models = ["*"]
requests_per_minute = 4000000000
requests_burst = 4000000000
tokens_per_minute = 1000000000000000
open_requests = 1000000
[limits]
h2_streams = 256
[queue]
capacity = 100000
[store]
path = "{directory}/fleet.db"
[fleet]
node = "bench"
"#
    )
}
