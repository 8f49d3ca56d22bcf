//! A double of the API server: it answers requests by path, and keeps watches open.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use serde_json::{Value, json};

/// A path, and the object with which the double answers.
pub type Answer = (&'static str, Value);

/// Starts a server for the rest of the test. Returns its URL.
pub fn start(answers: Vec<Answer>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answers = Arc::new(answers);
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let answers = answers.clone();
            std::thread::spawn(move || serve(connection.unwrap(), &answers));
        }
    });
    url
}

fn version() -> Value {
    let fields = [
        "gitCommit",
        "gitTreeState",
        "buildDate",
        "goVersion",
        "compiler",
        "platform",
    ];
    let mut version = json!({"major": "1", "minor": "30", "gitVersion": "v1.30.0"});
    for field in fields {
        version[field] = json!("");
    }
    version
}

/// Answers one request; an error means that the client closed the connection.
fn serve(connection: TcpStream, answers: &[Answer]) {
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        match reader.read_line(&mut line) {
            Ok(length) if length > 2 => lines.push(line),
            _ => break,
        }
    }
    let length = lines.iter().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().unwrap())
    });
    let mut body = vec![0; length.unwrap_or_default()];
    _ = reader.read_exact(&mut body);
    let Some(target) = lines.first().and_then(|line| line.split(' ').nth(1)) else {
        return;
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let found = match path {
        "/version" => Some(version()),
        path => answers
            .iter()
            .find(|(known, _)| *known == path)
            .map(|(_, answer)| answer.clone()),
    };
    let (status, answer) = match found {
        Some(answer) => ("200 OK", answer),
        None => (
            "404 Not Found",
            json!({"kind": "Status", "status": "Failure", "reason": "NotFound", "message": "not found", "code": 404}),
        ),
    };
    let mut connection = connection;
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\n");
    if query.contains("watch=") {
        _ = write!(connection, "{head}\r\n");
        // Keeps the watch open until the client closes the connection.
        _ = reader.read(&mut [0]);
        return;
    }
    let answer = answer.to_string();
    _ = write!(connection, "{head}content-length: {}\r\n\r\n{answer}", answer.len());
}

/// A list of objects for a client that reads only metadata.
pub fn metadata_list(objects: &[Value]) -> Value {
    let items: Vec<Value> = objects
        .iter()
        .map(|metadata| json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": metadata}))
        .collect();
    json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList", "metadata": {}, "items": items})
}
