use std::convert::Infallible;

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tokio::net::TcpListener;

use super::*;
use crate::blobs::conformance;
use crate::blobs::spool::Spool;

conformance::suite!(with_blobs);

const BUCKET: &str = "sealwire";

/// Runs `test` on a bucket of a server in this process that speaks S3, and checks signatures.
async fn with_blobs<F>(test: impl FnOnce(Arc<dyn Blobs>, Spool) -> F)
where
    F: Future<Output = ()>,
{
    let folder = tempfile::tempdir().unwrap();
    let endpoint = serve(folder.path()).await;
    let spool = Spool::at(folder.path().join("spool"));
    test(Arc::new(client(&endpoint, "right")), spool).await;
}

#[tokio::test]
async fn who_has_no_key_gets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = serve(folder.path()).await;
    let spool = Spool::at(folder.path().join("spool"));
    let mut body = spool.begin().await.unwrap();
    body.write(b"hello").await.unwrap();
    let spooled = body.finish().await.unwrap();

    let kept = client(&endpoint, "wrong").keep(spooled).await;

    assert_eq!(kept, Err(BlobError::Unavailable));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    crate::tls::choose_provider();
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let place = place(&endpoint);
    let once = RetryConfig { max_retries: 0, ..RetryConfig::default() };
    let options = ClientOptions::new().with_allow_http(true);
    let builder = AmazonS3Builder::new()
        .with_bucket_name(&place.bucket)
        .with_endpoint(&endpoint)
        .with_access_key_id("relay")
        .with_secret_access_key("right")
        .with_client_options(options)
        .with_retry(once);
    let blobs = S3Blobs {
        store: Arc::new(builder.build().unwrap()),
        prefix: place.prefix,
        sending: Arc::new(Semaphore::new(1)),
    };

    assert_eq!(blobs.delete(ObjectName::random()).await, Err(BlobError::Unavailable));
    assert!(blobs.list(1).await.is_err());
}

fn client(endpoint: &str, secret: &str) -> S3Blobs {
    crate::tls::choose_provider();
    let builder = AmazonS3Builder::new().with_access_key_id("relay").with_secret_access_key(secret);
    S3Blobs::with(&place(endpoint), builder).unwrap()
}

fn place(endpoint: &str) -> S3Place {
    S3Place {
        bucket: BUCKET.to_owned(),
        prefix: "relay/objects".to_owned(),
        endpoint: Some(endpoint.to_owned()),
        region: Some("eu-central-1".to_owned()),
    }
}

async fn serve(folder: &std::path::Path) -> String {
    std::fs::create_dir_all(folder.join("s3").join(BUCKET)).unwrap();
    let mut builder = S3ServiceBuilder::new(FileSystem::new(folder.join("s3")).unwrap());
    builder.set_auth(SimpleAuth::from_single("relay", "right"));
    let service = builder.build();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let connection =
                http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone());
            tokio::spawn(async move {
                let _ = connection.await;
                Ok::<_, Infallible>(())
            });
        }
    });
    endpoint
}
