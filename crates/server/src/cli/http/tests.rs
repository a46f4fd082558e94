use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::Client;
use crate::cli::args::Reach;
use crate::cli::output::Format;
use crate::exit::Failure;

/// Answers one connection per entry, and returns what was asked.
async fn server(answers: Vec<(u16, &'static str)>) -> (Client, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let asked = tokio::spawn(async move {
        let mut asked = Vec::new();
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            asked.push(String::from_utf8(head).unwrap());
            let length = body.len();
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        asked
    });
    (client(&url), asked)
}

fn client(url: &str) -> Client {
    let reach = Reach {
        url: Some(url.to_owned()),
        api_key: Some("ck_test_x".to_owned()),
        tenant: Some("acme".to_owned()),
        output: Format::Table,
    };
    Client::new(&reach).unwrap()
}

#[tokio::test]
async fn pages_are_followed_and_ids_escaped() {
    let (client, asked) =
        server(vec![(200, r#"{"data":[1,2],"next":"c+1"}"#), (200, r#"{"data":[3],"next":null}"#)]).await;
    let rows = client.all(&["templates", "a/b"], &[("status", "x y".to_owned())], 50).await.unwrap();
    assert_eq!(rows, [json!(1), json!(2), json!(3)]);
    let asked = asked.await.unwrap();
    assert!(asked[0].starts_with("GET /api/v1/templates/a%2Fb?status=x+y&limit=50 HTTP"), "{}", asked[0]);
    assert!(asked[1].starts_with("GET /api/v1/templates/a%2Fb?status=x+y&limit=48&cursor=c%2B1 HTTP"), "{}", asked[1]);
    assert!(asked[0].contains("x-api-key: ck_test_x") && asked[0].contains("x-tenant-id: acme"), "{}", asked[0]);
}

#[tokio::test]
async fn each_kind_of_trouble_has_its_code() {
    let answers = vec![
        (404, r#"{"code":"not_found","detail":"no such template"}"#),
        (503, r#"{"code":"unavailable","detail":"later"}"#),
        (502, "<html>"),
        (200, "<html>"),
        (204, ""),
    ];
    let (client, _asked) = server(answers).await;
    let mut codes = Vec::new();
    for _ in 0..4 {
        codes.push(client.get(&["x"], &[]).await.unwrap_err().code());
    }
    assert_eq!(codes, [3, 4, 4, 4]);
    assert_eq!(client.delete(&["x"]).await.unwrap(), json!(null));
}

#[tokio::test]
async fn nobody_there_is_said_with_the_place() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = client(&url).get(&["x"], &[]).await.unwrap_err();
    assert!(matches!(&error, Failure::Unreachable { .. }) && error.to_string().contains(&url), "{error}");
}
