//! The records of unfinished operations.

use crate::model::name::Name;
use crate::model::{Crossing, Etag, Intent, ItemId, RelPath, Upload};

use super::bytes::{Reader, Writer, malformed};
use super::error::Trouble;

const REPLACE: u8 = 1;
const PLACE: u8 = 2;
const TRASH_FOLDER: u8 = 3;
const TAKE_OVER: u8 = 4;
const TRASH: u8 = 5;
const TRASH_HERE: u8 = 6;
const UPLOAD: u8 = 7;
const MAKE_FOLDERS: u8 = 8;
const MOVE_ACROSS: u8 = 9;

/// An intent as it is stored.
pub(super) fn write_intent(intent: &Intent) -> Vec<u8> {
    let mut writer = Writer::default();
    match intent {
        Intent::ReplaceByTrash { old, old_etag, parent, name, document, path, stamp, signature } => {
            writer.byte(REPLACE);
            writer.id(old);
            writer.text(old_etag.as_str());
            writer.id(parent);
            writer.text(name);
            writer.text(document);
            writer.text(path.as_str());
            writer.stamp(stamp);
            writer.signature(signature);
        }
        Intent::Place { id, folder, from, to, temporary, here } => {
            writer.byte(PLACE);
            writer.id(id);
            let flags = [*folder, temporary.is_some(), here.is_some()];
            writer.byte(flags.iter().rev().fold(0, |byte, flag| byte << 1 | u8::from(*flag)));
            for (place, name) in [from, to] {
                writer.id(place);
                writer.text(name);
            }
            [temporary, here].into_iter().flatten().for_each(|name| writer.text(name));
        }
        Intent::TrashFolder { id, from, planned } => {
            writer.byte(TRASH_FOLDER);
            writer.id(id);
            writer.id(&from.0);
            writer.text(&from.1);
            writer.number(planned.len() as u64);
            planned.iter().for_each(|id| writer.id(id));
        }
        Intent::Trash { ids } => {
            writer.byte(TRASH);
            writer.number(ids.len() as u64);
            ids.iter().for_each(|id| writer.id(id));
        }
        Intent::TrashHere { items } => {
            writer.byte(TRASH_HERE);
            writer.number(items.len() as u64);
            for (id, path, stamp) in items {
                writer.id(id);
                writer.text(path.as_str());
                writer.stamp(stamp);
            }
        }
        Intent::Upload { files } => {
            writer.byte(UPLOAD);
            writer.number(files.len() as u64);
            files.iter().for_each(|file| write_upload(&mut writer, file));
        }
        Intent::MakeFolders { parent, strangers, folders } => {
            writer.byte(MAKE_FOLDERS);
            writer.id(parent);
            writer.number(strangers.len() as u64);
            strangers.iter().for_each(|id| writer.id(id));
            writer.number(folders.len() as u64);
            for (name, path, stamp) in folders {
                writer.text(name);
                writer.text(path.as_str());
                writer.stamp(stamp);
            }
        }
        Intent::TakeOver { old, path, stamp } => {
            writer.byte(TAKE_OVER);
            writer.id(old);
            writer.text(path.as_str());
            writer.stamp(stamp);
        }
        Intent::MoveAcross(Crossing { id, etag, parent, name, from, to, stamp }) => {
            writer.byte(MOVE_ACROSS);
            writer.id(id);
            writer.text(etag.as_str());
            writer.id(parent);
            writer.text(name);
            writer.text(from.as_str());
            writer.text(to.as_str());
            writer.stamp(stamp);
        }
    }
    writer.0
}

/// Reads such a record.
pub(super) fn read_intent(payload: &[u8]) -> Result<Intent, Trouble> {
    let mut reader = Reader::new(payload);
    let intent = match reader.byte()? {
        REPLACE => Intent::ReplaceByTrash {
            old: reader.id()?,
            old_etag: Etag::new(reader.text()?),
            parent: reader.id()?,
            name: reader.text()?.into(),
            document: reader.text()?.into(),
            path: path(&mut reader)?,
            stamp: reader.stamp()?,
            signature: reader.signature()?,
        },
        PLACE => {
            let id = reader.id()?;
            let flags = reader.byte()?;
            if flags > 7 {
                return Err(malformed());
            }
            Intent::Place {
                id,
                folder: flags & 1 != 0,
                from: place(&mut reader)?,
                to: place(&mut reader)?,
                temporary: if flags & 2 == 0 { None } else { Some(reader.text()?.into()) },
                here: if flags & 4 == 0 { None } else { Some(reader.text()?.into()) },
            }
        }
        TRASH_FOLDER => {
            let id = reader.id()?;
            let from = place(&mut reader)?;
            let count = reader.number()?;
            let planned = (0..count).map(|_| reader.id()).collect::<Result<_, _>>()?;
            Intent::TrashFolder { id, from, planned }
        }
        TRASH => {
            let count = reader.number()?;
            Intent::Trash { ids: (0..count).map(|_| reader.id()).collect::<Result<_, _>>()? }
        }
        TRASH_HERE => {
            let count = reader.number()?;
            let item = |_| Ok((reader.id()?, path(&mut reader)?, reader.stamp()?));
            Intent::TrashHere { items: (0..count).map(item).collect::<Result<_, Trouble>>()? }
        }
        UPLOAD => {
            let count = reader.number()?;
            let files = (0..count).map(|_| read_upload(&mut reader)).collect::<Result<_, Trouble>>()?;
            Intent::Upload { files }
        }
        MAKE_FOLDERS => {
            let parent = reader.id()?;
            let count = reader.number()?;
            let strangers = (0..count).map(|_| reader.id()).collect::<Result<_, _>>()?;
            let count = reader.number()?;
            let folder = |_| Ok((reader.text()?.into(), path(&mut reader)?, reader.stamp()?));
            let folders = (0..count).map(folder).collect::<Result<_, Trouble>>()?;
            Intent::MakeFolders { parent, strangers, folders }
        }
        TAKE_OVER => Intent::TakeOver { old: reader.id()?, path: path(&mut reader)?, stamp: reader.stamp()? },
        MOVE_ACROSS => Intent::MoveAcross(Crossing {
            id: reader.id()?,
            etag: Etag::new(reader.text()?),
            parent: reader.id()?,
            name: reader.text()?.into(),
            from: path(&mut reader)?,
            to: path(&mut reader)?,
            stamp: reader.stamp()?,
        }),
        _ => return Err(malformed()),
    };
    reader.end()?;
    Ok(intent)
}

/// Uploads that may come late, as they are stored.
pub(super) fn write_late(late: &[(Upload, i64)]) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.number(late.len() as u64);
    for (file, until) in late {
        write_upload(&mut writer, file);
        writer.signed(*until);
    }
    writer.0
}

/// Reads such a record.
pub(super) fn read_late(payload: &[u8]) -> Result<Vec<(Upload, i64)>, Trouble> {
    let mut reader = Reader::new(payload);
    let count = reader.number()?;
    let late = (0..count).map(|_| Ok((read_upload(&mut reader)?, reader.signed()?))).collect();
    reader.end()?;
    late
}

fn write_upload(writer: &mut Writer, file: &Upload) {
    writer.text(&file.document);
    writer.byte(u8::from(file.over.is_some()));
    if let Some((id, etag)) = &file.over {
        writer.id(id);
        writer.text(etag.as_str());
    }
    writer.id(&file.parent);
    writer.text(&file.name);
    writer.text(file.path.as_str());
    writer.stamp(&file.stamp);
    writer.signature(&file.signature);
}

fn read_upload(reader: &mut Reader<'_>) -> Result<Upload, Trouble> {
    let document = reader.text()?.into();
    let over = match reader.byte()? {
        0 => None,
        1 => Some((reader.id()?, Etag::new(reader.text()?))),
        _ => return Err(malformed()),
    };
    Ok(Upload {
        document,
        over,
        parent: reader.id()?,
        name: reader.text()?.into(),
        path: path(reader)?,
        stamp: reader.stamp()?,
        signature: reader.signature()?,
    })
}

fn path(reader: &mut Reader<'_>) -> Result<RelPath, Trouble> {
    RelPath::parse(reader.text()?).map_err(|error| Trouble::Damaged(error.to_string()))
}

fn place(reader: &mut Reader<'_>) -> Result<(ItemId, Name), Trouble> {
    Ok((reader.id()?, reader.text()?.into()))
}
