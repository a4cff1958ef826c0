//! A whole visit, from the password to the trash, with the session that the account half gave.

use serde_json::json;

use crate::client::{Client as Browser, simulator};
use crate::drive::client::{Client, ROOT, ZONE};

#[test]
fn sign_in_list_upload_download_replace_trash() {
    let sim = simulator(|_| {});
    sim.drive().fill_lifelike().unwrap();
    let mut client = Client::of(&sim);
    let stranger = json!([{"drivewsid": ROOT, "partialData": false}]);
    assert_eq!(client.post("/drivews/retrieveItemDetailsInFolders", &stranger).status, 421);

    let mut browser = Browser::new(&sim);
    let login = browser.log_in(&sim).json();
    let drivews = login["webservices"]["drivews"]["url"].as_str().unwrap();
    assert_eq!(drivews, format!("{}/drivews", sim.url()));
    let cookies: Vec<String> =
        browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    client.headers.push(("Cookie".to_owned(), cookies.join("; ")));

    let listing = client.list(ROOT);
    assert_eq!(
        listing["items"].as_array().unwrap().len(),
        listing["numberOfItems"].as_u64().unwrap() as usize
    );
    let welcome = client.child(ROOT, "Welcome.txt");
    let url = client.download_url(welcome["docwsid"].as_str().unwrap());
    assert_eq!(client.get(&url).body, b"This drive is simulated.\n");

    let first = client.put("visit.txt", b"first");
    let id = first["document_id"].as_str().unwrap();
    assert_eq!(client.get(&client.download_url(id)).body, b"first");
    let (_, staged) = client.stage("visit.txt", b"second");
    let item = client.details(&format!("FILE::com.apple.CloudDocs::{id}"));
    assert_eq!(item["etag"], first["etag"]);
    let second = client.commit(ZONE, id, &staged, "root", "visit.txt").json();
    assert_eq!(second["results"][0]["document"]["document_id"], first["document_id"]);
    assert_eq!(client.get(&client.download_url(id)).body, b"second");

    let item = client.child(ROOT, "visit.txt");
    let trashed = client.change("moveItemsToTrash", &item, json!({}));
    assert_eq!((&trashed["status"], &trashed["parentId"]), (&json!("OK"), &json!("TRASH_ROOT")));
    let trash = client.list("TRASH_ROOT");
    assert_eq!(trash["items"][0]["drivewsid"], item["drivewsid"]);
    assert_eq!(sim.drive().trash_contents()[0].1.content.clone().unwrap().to_vec().unwrap(), b"second");
    assert!(sim.drive().lost_contents().unwrap().is_empty());
    assert_eq!(sim.violations(), Vec::<String>::new());
}
