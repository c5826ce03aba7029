/** The app's own table, which handlers write to. */
export interface NotesDatabase {
  readonly notes: { readonly place: number; readonly text: string }
}
